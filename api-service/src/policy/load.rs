//! Reads and checks the policy file; everything that is wrong with it is said at once.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderName, Method, Uri};
use shared::token::{
    Algorithm, AudienceRule, ClaimProfile, GATELOG_AUDIENCE, IssuerRules, KeySet, TOKEN_TYPE,
};

use super::file::{IssuerTable, PolicyFile, RouteTable as RouteEntry, UpstreamTable};
use super::source::hash_of;
use super::{
    Allow, Audit, IdentityHeaders, IssuerKeys, Policy, PolicyIssuer, PolicySource, Route, RouteTable, Target,
    Upstream, builtin,
};

/// More leeway than a minute defeats short lifetimes.
const LEEWAY_SECONDS_MAX: u64 = 60;

/// What the policy needs to know from the settings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Gatelog's own issuer.
    pub issuer: String,
    /// Where auth-service is reached.
    pub auth_url: String,
    /// Where audit-collector is reached.
    pub collector_url: String,
}

/// All that is wrong with a policy.
#[derive(Debug, PartialEq, Eq)]
pub struct PolicyError(pub Vec<String>);

/// The policy of the built-in routes and, if given, of the file at `path`.
pub fn load(path: Option<&Path>, surroundings: &Surroundings) -> Result<Policy, PolicyError> {
    let text = match path.map(|path| (path, std::fs::read_to_string(path))) {
        None => String::new(),
        Some((_, Ok(text))) => text,
        Some((path, Err(error))) => {
            return Err(PolicyError(vec![format!(
                "cannot read the policy file {}: {error}",
                path.display()
            )]));
        }
    };
    let file: PolicyFile =
        toml::from_str(&text).map_err(|error| PolicyError(vec![format!("policy file: {error}")]))?;
    let mut checker = Checker {
        problems: Vec::new(),
        surroundings,
    };
    match checker.policy(file) {
        Some((table, issuers, warnings)) if checker.problems.is_empty() => Ok(Policy {
            table,
            issuers,
            warnings,
            hash: hash_of(&text),
            source: PolicySource::new(path, surroundings),
        }),
        _ => Err(PolicyError(
            checker
                .problems
                .iter()
                .map(|problem| format!("policy file: {problem}"))
                .collect(),
        )),
    }
}

struct Checker<'s> {
    problems: Vec<String>,
    surroundings: &'s Surroundings,
}

impl Checker<'_> {
    fn policy(&mut self, file: PolicyFile) -> Option<(RouteTable, Vec<PolicyIssuer>, Vec<String>)> {
        let issuers = self.issuers(file.audience, file.issuer);
        let auth = self.upstream("auth-service", UpstreamTable::of(&self.surroundings.auth_url));
        let auth = Arc::new(auth.with_own_cookies());
        let collector = self.upstream(
            "audit-collector",
            UpstreamTable::of(&self.surroundings.collector_url),
        );
        let mut upstreams = BTreeMap::new();
        for (name, table) in file.upstream {
            let upstream = self.upstream(&name, table);
            upstreams.insert(name, Arc::new(upstream));
        }
        let mut warnings = Vec::new();
        if file.same_host && !file.route.is_empty() {
            warnings.push("APIs share the issuer's host; use a host of their own in production".to_owned());
        }
        let mut routes = builtin::routes(&auth, &Arc::new(collector));
        let mut names: HashSet<String> = routes.iter().map(|route| route.name.clone()).collect();
        for entry in file.route {
            if !names.insert(entry.name.clone()) {
                self.problem(format!("two routes are named {}", entry.name));
            }
            routes.extend(self.route(entry, file.same_host, &upstreams));
        }
        match RouteTable::build(routes) {
            Ok(table) => Some((table, issuers, warnings)),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn issuers(&mut self, audience: Vec<String>, tables: BTreeMap<String, IssuerTable>) -> Vec<PolicyIssuer> {
        self.check_audience("audience", &audience);
        let own = self.surroundings.issuer.clone();
        let auth_url = self.surroundings.auth_url.trim_end_matches('/').to_owned();
        let keys = self.fetched("auth_url", &format!("{auth_url}/.well-known/jwks.json"));
        let gatelog = keys.map(|keys| PolicyIssuer {
            rules: IssuerRules::gatelog(&own, audience),
            keys,
        });
        let mut seen = HashSet::from([own]);
        let mut issuers: Vec<_> = gatelog.into_iter().collect();
        for (name, table) in tables {
            if !seen.insert(table.url.clone()) {
                self.problem(format!("issuer.{name}: two issuers have the url {}", table.url));
            }
            issuers.extend(self.issuer(&name, table));
        }
        issuers
    }

    fn issuer(&mut self, name: &str, table: IssuerTable) -> Option<PolicyIssuer> {
        let at = format!("issuer.{name}");
        if table.audience.is_empty() {
            self.problem(format!(
                "{at}: `audience` names the audiences that are accepted, at least one"
            ));
        }
        self.check_audience(&at, &table.audience);
        let leeway = table.leeway_seconds.unwrap_or(5);
        if leeway > LEEWAY_SECONDS_MAX {
            self.problem(format!("{at}: `leeway_seconds` is {LEEWAY_SECONDS_MAX} at most"));
        }
        let keys = self.issuer_keys(&at, &table);
        let algorithms = self.algorithms(&at, &table);
        let rules = IssuerRules {
            is_gatelog: false,
            algorithms,
            types: table.typ.unwrap_or_else(|| vec![TOKEN_TYPE.to_owned()]),
            leeway: Duration::from_secs(leeway),
            profile: match table.claims {
                None => ClaimProfile::AccessToken,
                Some(claims) => ClaimProfile::Mapped {
                    sub: claims.sub,
                    roles: claims.roles,
                },
            },
            iss: table.url,
            audience: table.audience,
        };
        Some(PolicyIssuer { rules, keys: keys? })
    }

    fn check_audience(&mut self, at: &str, audience: &[String]) {
        if audience.iter().any(|name| name == GATELOG_AUDIENCE) {
            self.problem(format!(
                "{at}: the audience `{GATELOG_AUDIENCE}` is Gatelog's own and never that of an API"
            ));
        }
    }

    fn issuer_keys(&mut self, at: &str, table: &IssuerTable) -> Option<IssuerKeys> {
        match (&table.secret_file, &table.jwks) {
            (Some(_), Some(_)) => {
                self.problem(format!("{at}: `jwks` and `secret_file` exclude each other"));
                None
            }
            (Some(path), None) => match std::fs::read(path) {
                Ok(bytes) => match KeySet::from_secret(trimmed(&bytes)) {
                    Ok(keys) => Some(IssuerKeys::Secret(Arc::new(keys))),
                    Err(error) => self.refuse(format!("{at}: {}: {error}", path.display())),
                },
                Err(error) => self.refuse(format!("{at}: cannot read {}: {error}", path.display())),
            },
            (None, Some(jwks)) => self.fetched(at, jwks),
            (None, None) => self.refuse(format!("{at}: needs `jwks` or `secret_file`")),
        }
    }

    fn fetched(&mut self, at: &str, jwks: &str) -> Option<IssuerKeys> {
        match jwks.parse::<Uri>() {
            Ok(uri) if uri.scheme().is_some() && uri.authority().is_some() => Some(IssuerKeys::Fetched(uri)),
            _ => self.refuse(format!("{at}: `jwks` = {jwks:?} is not an http or https URL")),
        }
    }

    fn algorithms(&mut self, at: &str, table: &IssuerTable) -> Vec<Algorithm> {
        let has_secret = table.secret_file.is_some();
        let Some(names) = &table.algs else {
            return if has_secret {
                vec![Algorithm::Hs256]
            } else {
                vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
            };
        };
        let mut algorithms = Vec::new();
        for name in names {
            match name.parse::<Algorithm>() {
                Ok(algorithm) if (algorithm == Algorithm::Hs256) == has_secret => algorithms.push(algorithm),
                Ok(_) => self.problem(format!(
                    "{at}: HS256 goes with `secret_file`, every other algorithm with `jwks`"
                )),
                Err(error) => self.problem(format!("{at}: `algs` names {name:?}, {error}")),
            }
        }
        algorithms
    }

    fn upstream(&mut self, name: &str, table: UpstreamTable) -> Upstream {
        let at = format!("upstream.{name}");
        if table.servers.is_empty() {
            self.problem(format!("{at}: `servers` names at least one"));
        }
        let mut servers = Vec::new();
        for server in &table.servers {
            match parse_server(server) {
                Some(parsed) => servers.push(parsed),
                None => self.problem(format!("{at}: {server:?} is not of the form http://host:port")),
            }
        }
        let identity = match table.identity {
            None => IdentityHeaders::default(),
            Some(headers) => {
                let mut parsed = Vec::new();
                for (header, claim) in headers {
                    match header.parse::<HeaderName>() {
                        Ok(header) => parsed.push((header, claim)),
                        Err(_) => self.problem(format!("{at}: {header:?} is not a header's name")),
                    }
                }
                IdentityHeaders::new(parsed)
            }
        };
        Upstream::new(name.to_owned(), servers, identity)
    }

    fn route(
        &mut self,
        entry: RouteEntry,
        same_host: bool,
        upstreams: &BTreeMap<String, Arc<Upstream>>,
    ) -> Option<Route> {
        let at = format!("route {}", entry.name);
        let allow = Allow::parse(&entry.allow);
        if let Err(error) = &allow {
            self.problem(format!("{at}: `allow` {error}"));
        }
        let matched = entry.r#match.split_once(' ').and_then(|(method, template)| {
            let is_upper = method.bytes().all(|byte| byte.is_ascii_uppercase());
            Some((
                is_upper.then(|| method.parse::<Method>().ok())??,
                template.trim().to_owned(),
            ))
        });
        if matched.is_none() {
            self.problem(format!(
                "{at}: `match` = {:?} is not of the form `GET /path`",
                entry.r#match
            ));
        }
        let upstream = upstreams.get(&entry.to);
        if upstream.is_none() {
            self.problem(format!("{at}: there is no upstream named {}", entry.to));
        }
        if entry.host.is_none() && !same_host {
            self.problem(format!(
                "{at}: needs a `host` of its own (or `same_host = true` for development)"
            ));
        }
        let (method, template) = matched?;
        Some(Route {
            name: entry.name,
            host: entry.host.map(|host| host.to_ascii_lowercase()),
            method,
            template,
            allow: allow.ok()?,
            audience: AudienceRule::Apis,
            target: Target::Upstream(Arc::clone(upstream?)),
            forward_token: entry.forward_token,
            audit: entry.audit.unwrap_or(Audit::Durable),
        })
    }

    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    fn refuse<T>(&mut self, text: String) -> Option<T> {
        self.problem(text);
        None
    }
}

impl UpstreamTable {
    fn of(server: &str) -> Self {
        Self {
            servers: vec![server.to_owned()],
            identity: None,
        }
    }
}

fn parse_server(text: &str) -> Option<(Scheme, Authority)> {
    let parts = text.parse::<Uri>().ok()?.into_parts();
    let path_is_empty = parts.path_and_query.as_ref().is_none_or(|path| path == "/");
    let scheme = parts
        .scheme
        .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?;
    path_is_empty.then_some((scheme, parts.authority?))
}

/// A secret without the line feed that editors put at a file's end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Policy, Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let surroundings = Surroundings {
            issuer: "http://127.0.0.1:8080".into(),
            auth_url: "http://127.0.0.1:8081".into(),
            collector_url: "http://127.0.0.1:8082".into(),
        };
        load(Some(file.path()), &surroundings).map_err(|PolicyError(problems)| problems)
    }

    const UPSTREAM: &str = "[upstream.orders]\nservers = ['http://127.0.0.1:9000']\n";

    #[test]
    fn without_a_file_there_are_the_routes_to_gatelog_and_its_own_issuer() {
        let policy = loaded("").unwrap();

        assert_eq!(
            policy.table.find(None, &Method::GET, "/api/me").unwrap().name,
            "me"
        );
        assert_eq!(policy.issuers.len(), 1);
        assert!(policy.issuers[0].rules.is_gatelog);
    }

    #[test]
    fn a_route_leads_from_its_host_to_its_upstream() {
        let route = "[[route]]\nname='read'\nhost='API.example.com'\nmatch='GET /orders/{id}'\nallow='scope:orders'\nto='orders'\n";
        let policy = loaded(&format!("{UPSTREAM}{route}")).unwrap();

        let found = policy
            .table
            .find(Some("api.example.com"), &Method::GET, "/orders/7")
            .unwrap();
        assert_eq!((found.name.as_str(), found.audit), ("read", Audit::Durable));
        assert!(policy.table.find(None, &Method::GET, "/orders/7").is_none());
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let problems = loaded(
            "[issuer.a]\nurl='https://a'\naudience=['gatelog']\nalgs=['none']\njwks='nowhere'\n\
             [issuer.b]\nurl='https://b'\nsecret_file='/nonexistent'\n\
             [upstream.u]\nservers=['http://h/path']\n\
             [[route]]\nname='r'\nmatch='get /x'\nallow='scope:'\nto='nobody'\n",
        )
        .unwrap_err();

        let said = problems.join("\n");
        for part in [
            "issuer.a: the audience `gatelog`",
            "issuer.a: `algs` names \"none\"",
            "issuer.a: `jwks` = \"nowhere\"",
            "issuer.b: `audience`",
            "issuer.b: cannot read /nonexistent",
            "upstream.u: \"http://h/path\"",
            "route r: `allow` at character 0",
            "route r: `match`",
            "route r: there is no upstream named nobody",
            "route r: needs a `host`",
        ] {
            assert!(said.contains(part), "{part} in\n{said}");
        }
    }

    #[test]
    fn a_route_over_gatelog_s_own_paths_is_refused() {
        let route =
            "same_host=true\n[[route]]\nname='mine'\nmatch='POST /v1/login'\nallow='anyone'\nto='orders'\n";
        let (head, rest) = route.split_once('\n').unwrap();

        let problems = loaded(&format!("{head}\n{UPSTREAM}{rest}")).unwrap_err();

        assert!(problems[0].contains("login and mine"), "{problems:?}");
    }

    #[test]
    fn apis_on_the_issuer_s_host_are_warned_of() {
        let route = "[[route]]\nname='mine'\nmatch='GET /orders'\nallow='signed-in'\nto='orders'\n";

        let policy = loaded(&format!("same_host=true\n{UPSTREAM}{route}")).unwrap();

        assert_eq!(policy.warnings.len(), 1);
    }

    #[test]
    fn a_secret_that_is_too_short_and_an_hs256_without_secret_are_refused() {
        let short = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(short.path(), "0123456789012345678901234567890\n").unwrap();
        let problems = loaded(&format!(
            "[issuer.a]\nurl='https://a'\naudience=['x']\nsecret_file='{}'\n\
             [issuer.b]\nurl='https://b'\naudience=['x']\njwks='https://b/jwks'\nalgs=['HS256']\n",
            short.path().display()
        ))
        .unwrap_err();

        assert!(problems[0].contains("at least 32 bytes"), "{problems:?}");
        assert!(
            problems[1].contains("HS256 goes with `secret_file`"),
            "{problems:?}"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let problems = loaded("[[route]]\nnmae='r'\n").unwrap_err();

        assert!(
            problems[0].contains("nmae") && problems[0].contains("line 2"),
            "{problems:?}"
        );
    }
}
