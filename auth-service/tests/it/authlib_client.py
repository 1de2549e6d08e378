"""A client that was not written for Gatelog: Authlib takes the code flow against a running service and tells what it saw.

Reads one JSON object (issuer, alg, client, api, username, password) and prints another. What Authlib checks by itself raises.
"""
import json
import os
import sys
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata

CALLBACK = 'https://app.example/cb'
SCOPE = 'openid profile offline_access'


class Page(HTMLParser):
    """The form of a page, what it sends, and where the page goes on by itself."""

    def __init__(self, answer):
        super().__init__()
        self.url, self.action, self.fields, self.onward = answer.url, None, {}, None
        self.feed(answer.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == 'form':
            self.action = urljoin(self.url, attrs['action'])
        elif tag == 'input':
            self.fields[attrs['name']] = attrs.get('value', '')
        elif tag == 'meta' and attrs.get('http-equiv') == 'refresh':
            self.onward = attrs['content'].split('url=', 1)[1]


def submit(browser, page, **typed):
    answer = browser.post(page.action, data={**page.fields, **typed})
    answer.raise_for_status()
    return Page(answer)


def refused(act):
    """The error that Authlib raises for what is refused."""
    try:
        act()
    except AuthlibBaseError as error:
        return error.error
    return None


def authorize(session, metadata, browser, asked):
    """Takes a user through the pages; returns the verifier, the nonce and the address of the client that it ends at."""
    verifier, nonce = generate_token(48), generate_token()
    url, state = session.create_authorization_url(
        metadata['authorization_endpoint'], code_verifier=verifier, nonce=nonce, resource='orders')
    session.state = state
    answer = browser.get(url, allow_redirects=False)
    pages = []
    if 'location' in answer.headers:
        onward = answer.headers['location']
    else:
        page = Page(answer)
        while not page.onward:
            pages.append(urlsplit(page.action).path)
            typed = {'decision': 'allow'} if page.action.split('?')[0].endswith('consent') else {
                'username': asked['username'], 'password': asked['password']}
            page = submit(browser, page, **typed)
        onward = page.onward
    assert onward.startswith(CALLBACK + '?'), onward
    # RFC 9207: Authlib leaves it to its user to compare it.
    assert parse_qs(urlsplit(onward).query)['iss'] == [metadata['issuer']], onward
    return verifier, nonce, onward, pages


def main():
    os.environ['AUTHLIB_INSECURE_TRANSPORT'] = '1'  # for a loopback address
    asked = json.load(sys.stdin)
    issuer, client, api = asked['issuer'], asked['client'], asked['api']
    server = AuthorizationServerMetadata(requests.get(get_well_known_url(issuer, external=True)).json())
    server.validate()
    metadata = OpenIDProviderMetadata(requests.get(issuer + '/.well-known/openid-configuration').json())
    if asked['alg'] == 'RS256':  # which OpenID Connect Discovery requires, and Authlib with it
        metadata.validate()
    assert server['issuer'] == metadata['issuer'] == issuer
    endpoint = metadata['token_endpoint']

    session = OAuth2Session(client['id'], client['secret'], scope=SCOPE, redirect_uri=CALLBACK,
                            code_challenge_method='S256')
    resource = OAuth2Session(api['id'], api['secret'])
    browser = requests.Session()

    def is_active(token):
        return resource.introspect_token(metadata['introspection_endpoint'], token=token).json()['active']

    verifier, nonce, onward, pages = authorize(session, metadata, browser, asked)
    foreign_state = onward.replace('state=', 'state=x')
    state_refused = refused(lambda: session.fetch_token(
        endpoint, authorization_response=foreign_state, code_verifier=verifier))
    token = session.fetch_token(endpoint, authorization_response=onward, code_verifier=verifier)
    keys = JsonWebKey.import_key_set(requests.get(metadata['jwks_uri']).json())
    claims = JsonWebToken(metadata['id_token_signing_alg_values_supported']).decode(
        token['id_token'], key=keys, claims_cls=CodeIDToken,
        claims_options={'iss': {'essential': True, 'value': issuer}, 'aud': {'essential': True, 'value': client['id']}},
        claims_params={'nonce': nonce, 'client_id': client['id'], 'access_token': token['access_token']})
    claims.validate()
    user = session.get(metadata['userinfo_endpoint']).json()

    first_access, first_refresh = token['access_token'], token['refresh_token']
    renewed = session.refresh_token(endpoint)
    active = [is_active(first_access), is_active(renewed['access_token']), is_active(renewed['refresh_token'])]
    revoked = session.revoke_token(metadata['revocation_endpoint'], token=renewed['refresh_token'],
                                   token_type_hint='refresh_token').status_code
    after = [is_active(first_access), is_active(renewed['access_token']), is_active(renewed['refresh_token'])]
    refresh_after = refused(lambda: session.refresh_token(endpoint, refresh_token=renewed['refresh_token']))

    verifier, _, onward, pages_again = authorize(session, metadata, browser, asked)
    second = session.fetch_token(endpoint, authorization_response=onward, code_verifier=verifier)
    good_before = session.get(metadata['userinfo_endpoint']).status_code
    second_access = second['access_token']
    code_reused = refused(lambda: session.fetch_token(
        endpoint, authorization_response=onward, code_verifier=verifier))
    bad_after = requests.get(metadata['userinfo_endpoint'],
                             headers={'authorization': 'Bearer ' + second_access}).status_code

    print(json.dumps({
        'pages': pages, 'pages_again': pages_again, 'state_refused': state_refused,
        'alg': claims.header['alg'], 'claims': claims, 'user': user, 'scope': token['scope'],
        'is_rotated': renewed['refresh_token'] != first_refresh,
        'active': active, 'revoked': revoked, 'after': after, 'refresh_after': refresh_after,
        'code_reused': code_reused, 'userinfo': [good_before, bad_after],
    }))


main()
