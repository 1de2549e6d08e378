//! Issuers, their keys, and tokens of any form, signed or not.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};
use shared::token::{
    Algorithm, ClaimProfile, IssuerRules, KEYS_AGE_MAX, KeySet, TOKEN_TYPE, Trust, TrustedIssuer,
};

use super::NOW;

/// Gatelog's own auth-service, with a key of each kind.
pub(crate) const GATELOG: &str = "http://127.0.0.1:8080";
/// Another issuer of RFC 9068 tokens, whose key has the same id as one of Gatelog's.
pub(crate) const PARTNER: &str = "https://partner.example";
/// A service that signs with a shared secret and knows no RFC 9068.
pub(crate) const LEGACY: &str = "legacy-service";
/// A trusted issuer whose keys could not be fetched.
pub(crate) const UNREACHED: &str = "https://unreached.example";

/// The key ids of Gatelog's keys.
pub(crate) const KIDS: [(&str, Algorithm); 3] = [
    ("ed", Algorithm::EdDsa),
    ("ec", Algorithm::Es256),
    ("rsa", Algorithm::Rs256),
];

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::new);

pub(crate) struct Key {
    private: EncodingKey,
    algorithm: jsonwebtoken::Algorithm,
    /// The public half.
    pub(crate) jwk: Value,
}

impl Key {
    pub(crate) fn generate(algorithm: Algorithm, kid: &str) -> Self {
        let (private, library) = match algorithm {
            Algorithm::EdDsa => (ed25519(), jsonwebtoken::Algorithm::EdDSA),
            Algorithm::Es256 => (p256(), jsonwebtoken::Algorithm::ES256),
            Algorithm::Rs256 => (rsa(), jsonwebtoken::Algorithm::RS256),
            Algorithm::Hs256 => (EncodingKey::from_secret(&SECRET), jsonwebtoken::Algorithm::HS256),
        };
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&private, library).unwrap()).unwrap();
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        Self {
            private,
            algorithm: library,
            jwk,
        }
    }

    /// The token of these two parts, given as JSON text.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        self.sign_message(&message)
    }

    pub(crate) fn sign_message(&self, message: &str) -> String {
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, self.algorithm);
        format!("{message}.{}", signature.unwrap())
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// What the HS256 issuer shares with us.
pub(crate) const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

pub(crate) struct World {
    pub(crate) keys: [Key; 3],
    pub(crate) partner: Key,
    pub(crate) legacy: Key,
    /// A key of someone whom nobody trusts, with the id of one that is trusted.
    pub(crate) stranger: Key,
    pub(crate) trust: Trust,
}

impl World {
    fn new() -> Self {
        let keys = KIDS.map(|(kid, algorithm)| Key::generate(algorithm, kid));
        let partner = Key::generate(Algorithm::EdDsa, "ed");
        let audience = vec!["orders".to_owned()];
        let rules = IssuerRules::gatelog(GATELOG, audience.clone());
        let external = |iss: &str| IssuerRules {
            iss: iss.to_owned(),
            is_gatelog: false,
            // Even by mistake an issuer of someone else does not get a say over Gatelog.
            audience: vec!["orders".to_owned(), "gatelog".to_owned()],
            ..rules.clone()
        };
        let legacy_rules = IssuerRules {
            iss: LEGACY.to_owned(),
            is_gatelog: false,
            audience,
            algorithms: vec![Algorithm::Hs256],
            types: vec!["JWT".to_owned()],
            leeway: Duration::from_secs(5),
            profile: ClaimProfile::Mapped {
                sub: "user_id".to_owned(),
                roles: Some("role".to_owned()),
                scope: None,
                client: None,
            },
            keys_age_max: KEYS_AGE_MAX,
        };
        let trust = Trust::new(vec![
            TrustedIssuer::with_keys(rules.clone(), jwks(&keys)),
            TrustedIssuer::with_keys(external(PARTNER), jwks(std::slice::from_ref(&partner))),
            TrustedIssuer::with_keys(legacy_rules, KeySet::from_secret(&SECRET).unwrap()),
            TrustedIssuer::without_keys(external(UNREACHED)),
        ]);
        Self {
            keys,
            partner,
            legacy: Key::generate(Algorithm::Hs256, "any"),
            stranger: Key::generate(Algorithm::EdDsa, "ed"),
            trust,
        }
    }

    /// Gatelog's default key.
    pub(crate) fn key(&self) -> &Key {
        &self.keys[0]
    }
}

pub(crate) fn jwks(keys: &[Key]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| &key.jwk).collect();
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The header of a token that Gatelog minted.
pub(crate) fn header() -> Value {
    json!({"typ": TOKEN_TYPE, "alg": "EdDSA", "kid": "ed"})
}

/// The claims of a token that Gatelog minted.
pub(crate) fn claims() -> Value {
    json!({
        "iss": GATELOG, "sub": "usr_1", "aud": ["orders"], "exp": NOW + 600, "iat": NOW, "jti": "tok_1",
        "client_id": "cli", "sid": "ses_1", "scope": "orders:read orders:write", "roles": ["clerk"],
        "username": "ada",
    })
}

/// A token that is good.
pub(crate) fn good() -> String {
    WORLD.key().sign(&header(), &claims())
}

/// A token that would be good without this member of its header; `None` leaves it out.
pub(crate) fn with_header(name: &str, value: Option<Value>) -> String {
    WORLD.key().sign(&with(header(), name, value), &claims())
}

/// A token that would be good without this claim; `None` leaves it out.
pub(crate) fn with_claim(name: &str, value: Option<Value>) -> String {
    WORLD.key().sign(&header(), &with(claims(), name, value))
}

pub(crate) fn with(mut object: Value, name: &str, value: Option<Value>) -> Value {
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name).unwrap()),
    }
    object
}

/// A token as PyJWT makes it with a shared secret, with one claim changed.
pub(crate) fn legacy(name: &str, value: Option<Value>) -> String {
    let header = json!({"typ": "JWT", "alg": "HS256"});
    let claims = json!({"iss": LEGACY, "user_id": 17, "role": "clerk", "aud": "orders", "exp": NOW + 600});
    WORLD.legacy.sign(&header, &with(claims, name, value))
}

fn ed25519() -> EncodingKey {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    EncodingKey::from_ed_der(der.as_ref())
}

fn p256() -> EncodingKey {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    EncodingKey::from_ec_der(document.unwrap().as_ref())
}

fn rsa() -> EncodingKey {
    let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}
