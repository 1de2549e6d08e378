//! Reads and checks the policy file; everything that is wrong with it is said at once.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use http::uri::Authority;
use http::{Method, Uri};
use shared::token::AudienceRule;

use super::file::{PolicyFile, RateTable, RouteTable as RouteEntry};
use super::rate;
use super::source::hash_of;
use super::upstream::UpstreamTable;
use super::{
    Allow, Audit, Passage, Policy, PolicyIssuer, PolicySource, Route, RouteTable, Target, Upstream, builtin,
};
use crate::rate_limit::RateRule;

/// What the policy needs to know from the settings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Gatelog's own issuer.
    pub issuer: String,
    /// Where auth-service is reached.
    pub auth_url: String,
    /// Where audit-collector is reached. None in a service of your own, which has none of Gatelog's routes and whose routes need
    /// no host.
    pub collector_url: Option<String>,
}

impl Surroundings {
    /// Whether it is for the origin of Gatelog's own paths, beside which every API has a host of its own.
    const fn is_origin(&self) -> bool {
        self.collector_url.is_some()
    }

    /// Whether requests for Gatelog's own paths would go to a route of that host.
    fn is_own_host(&self, host: &str) -> bool {
        let issuer = self.issuer.parse::<Uri>().ok();
        let own = issuer.as_ref().and_then(Uri::authority);
        let is_named = |own: &Authority| {
            [own.as_str(), own.host()]
                .iter()
                .any(|name| host.eq_ignore_ascii_case(name))
        };
        self.is_origin() && own.is_some_and(is_named)
    }
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
        warnings: Vec::new(),
        surroundings,
    };
    match checker.policy(file) {
        Some(checked) if checker.problems.is_empty() => Ok(Policy {
            table: checked.table,
            issuers: checked.issuers,
            refusals: checked.refusals,
            warnings: checker.warnings,
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

/// What a file without mistakes says.
struct Checked {
    table: RouteTable,
    issuers: Vec<PolicyIssuer>,
    refusals: RateRule,
}

/// Checks a file part by part, and keeps what is wrong with it.
pub(super) struct Checker<'s> {
    problems: Vec<String>,
    warnings: Vec<String>,
    pub(super) surroundings: &'s Surroundings,
}

impl Checker<'_> {
    fn policy(&mut self, file: PolicyFile) -> Option<Checked> {
        let issuers = self.issuers(file.audience, file.issuer);
        let mut upstreams = BTreeMap::new();
        for (name, table) in file.upstream {
            let upstream = self.upstream(&name, table);
            upstreams.insert(name, Arc::new(upstream));
        }
        if file.same_host && !file.route.is_empty() && self.surroundings.is_origin() {
            self.warnings
                .push("APIs share the issuer's host; use a host of their own in production".to_owned());
        }
        let refusals = rate::refusals(file.refusal_rate.as_ref());
        let refusals = refusals.map_err(|error| self.problem(format!("`refusal_rate`: {error}")));
        let mut routes = self.own_routes();
        let mut names: HashSet<String> = routes.iter().map(|route| route.name.clone()).collect();
        for entry in file.route {
            if !names.insert(entry.name.clone()) {
                self.problem(format!("two routes are named {}", entry.name));
            }
            let rates = self.rates(&entry, &file.rate);
            if let Some(route) = self.route(entry, file.same_host, &upstreams) {
                let warning = rate::warning(&route.allow, &rates);
                self.warnings
                    .extend(warning.map(|warning| format!("route {}: {warning}", route.name)));
                routes.push(Route { rates, ..route });
            }
        }
        routes.extend(builtin::protected_resources(&routes));
        match RouteTable::build(routes) {
            Ok(table) => Some(Checked {
                table,
                issuers,
                refusals: refusals.ok()?,
            }),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// Gatelog's own, where its origin is.
    fn own_routes(&mut self) -> Vec<Route> {
        let surroundings = self.surroundings;
        let Some(collector_url) = &surroundings.collector_url else {
            return Vec::new();
        };
        let auth = self.upstream("auth-service", UpstreamTable::of(&surroundings.auth_url));
        let collector = self.upstream("audit-collector", UpstreamTable::of(collector_url));
        builtin::routes(&Arc::new(auth.with_own_cookies()), &Arc::new(collector))
    }

    fn upstream(&mut self, name: &str, table: UpstreamTable) -> Upstream {
        Upstream::read(name, table, |problem| self.problems.push(problem))
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
        let target = self.target(&at, &entry, upstreams);
        if entry.host.is_none() && !same_host && self.surroundings.is_origin() {
            self.problem(format!(
                "{at}: needs a `host` of its own (or `same_host = true` for development)"
            ));
        }
        if let Some(host) = entry
            .host
            .as_deref()
            .filter(|host| self.surroundings.is_own_host(host))
        {
            self.problem(format!(
                "{at}: `host` {host} is the issuer's, whose own paths it would hide; take another, or none with `same_host = true`"
            ));
        }
        let mut wrong = |text| self.problem(format!("{at}: {text}"));
        let passage = target
            .as_ref()
            .map(|target| Passage::read(&entry, target, &mut wrong));
        let (method, template) = matched?;
        // What is wrong is told already; the route stands in for itself, so that one that matches alike is told as well.
        let allow = allow.unwrap_or(Allow::SignedIn);
        Some(Route {
            name: entry.name,
            host: entry.host.map(|host| host.to_ascii_lowercase()),
            method,
            template,
            rule: allow.to_string(),
            allow,
            audience: AudienceRule::Apis,
            target: target.unwrap_or(Target::Decided),
            forward_token: entry.forward_token,
            audit: entry.audit.unwrap_or(Audit::Durable),
            rates: Vec::new(),
            revocation: entry.revocation.unwrap_or_default(),
            stream_end: entry.stream.map(|stream| stream.end_at).unwrap_or_default(),
            passage: passage.unwrap_or_default(),
        })
    }

    /// The limits on a route: its own, or else those for all.
    fn rates(&mut self, entry: &RouteEntry, defaults: &[RateTable]) -> Vec<RateRule> {
        let tables = entry.rate.as_deref().unwrap_or(defaults);
        let (rules, problems) = rate::rules(&entry.name, tables);
        for problem in problems {
            self.problem(format!("route {}: {problem}", entry.name));
        }
        rules
    }

    fn target(
        &mut self,
        at: &str,
        entry: &RouteEntry,
        upstreams: &BTreeMap<String, Arc<Upstream>>,
    ) -> Option<Target> {
        let Some(name) = &entry.to else {
            return if entry.forward_token {
                self.refuse(format!("{at}: `forward_token` needs `to`"))
            } else {
                Some(Target::Decided)
            };
        };
        match upstreams.get(name) {
            Some(upstream) => Some(Target::Upstream(Arc::clone(upstream))),
            None => self.refuse(format!("{at}: there is no upstream named {name}")),
        }
    }

    pub(super) fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    pub(super) fn refuse<T>(&mut self, text: String) -> Option<T> {
        self.problem(text);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Policy, Vec<String>> {
        loaded_by("http://127.0.0.1:8080", text)
    }

    fn loaded_by(issuer: &str, text: &str) -> Result<Policy, Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let surroundings = Surroundings {
            issuer: issuer.into(),
            auth_url: "http://127.0.0.1:8081".into(),
            collector_url: Some("http://127.0.0.1:8082".into()),
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
    fn all_that_the_collector_describes_of_its_log_is_reached_through_the_door_with_the_same_scope() {
        let description = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/openapi/audit-collector.json"
        );
        let description: serde_json::Value =
            serde_json::from_slice(&std::fs::read(description).unwrap()).unwrap();
        let policy = loaded("").unwrap();

        let paths = description["paths"].as_object().unwrap().iter();
        let mut missed = Vec::new();
        for (path, operations) in paths.filter(|(path, _)| path.starts_with("/v1/")) {
            for (method, operation) in operations.as_object().unwrap() {
                let scope = operation["security"][0]["bearer"][0].as_str().unwrap();
                let method: Method = method.to_uppercase().parse().unwrap();
                let asked = path.replace(['{', '}'], "");
                let route = policy.table.find(None, &method, &asked);
                let rule = route.map(|route| route.rule.as_str());
                if rule != Some(format!("scope:{scope}").as_str()) {
                    missed.push(format!("{method} {path}: {rule:?} instead of {scope}"));
                }
            }
        }

        assert!(missed.is_empty(), "{missed:#?}");
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
    fn limits_are_a_route_s_own_or_else_those_for_all_and_idle_ones_are_warned_of() {
        let route = |name: &str, more: &str| {
            format!("[[route]]\nname='{name}'\nhost='h'\nmatch='GET /{name}'\nto='orders'\n{more}\n")
        };
        let policy = loaded(&format!(
            "rate = [{{ per = 'address', limit = '100/s' }}]\nrefusal_rate = {{ limit = '5/s', burst = 7 }}\n{UPSTREAM}{}{}{}",
            route("all", "allow='signed-in'"),
            route("own", "allow='anyone'\nrate=[{per='sub',limit='10/min',burst=5}]"),
            route("none", "allow='signed-in'\nrate=[]"),
        ))
        .unwrap();

        let told: Vec<_> = ["/all", "/own", "/none"]
            .map(|path| {
                let route = policy.table.find(Some("h"), &Method::GET, path).unwrap();
                let rates: Vec<_> = route.rates.iter().map(ToString::to_string).collect();
                rates.join("; ")
            })
            .into();
        assert_eq!(
            told,
            ["100/s, 100 at once per address", "10/min, 5 at once per sub", ""]
        );
        assert_eq!(policy.refusals.to_string(), "5/s, 7 at once per address");
        assert_eq!(
            policy.warnings,
            ["route own: strangers pass without a token, whom the limit per sub does not count"]
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let problems = loaded(
            "[issuer.a]\nurl='https://a'\naudience=['gatelog']\nalgs=['none']\njwks='nowhere'\n\
             [issuer.b]\nurl='https://b'\nsecret_file='/nonexistent'\n\
             [upstream.u]\nservers=['http://h/path']\n\
             [[route]]\nname='r'\nmatch='get /x'\nallow='scope:'\nto='nobody'\n\
             rate=[{per='sub',limit='10/month'},{per='address',limit='1/s',burst=0}]\n",
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
            "route r: `rate` per sub: `limit` is of the form",
            "route r: `rate` per address: `burst` is one at least",
        ] {
            assert!(said.contains(part), "{part} in\n{said}");
        }
    }

    #[test]
    fn a_route_with_mistakes_is_still_seen_to_match_as_another_does() {
        let route = |name: &str, allow: &str, to: &str| {
            format!("[[route]]\nname='{name}'\nhost='h'\nmatch='GET /x'\nallow='{allow}'\nto='{to}'\n")
        };
        let routes = [route("a", "scope:", "nobody"), route("b", "signed-in", "orders")];

        let said = loaded(&format!("{UPSTREAM}{}", routes.concat()))
            .unwrap_err()
            .join("\n");

        for part in [
            "route a: `allow`",
            "named nobody",
            "routes a and b match the same",
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
    fn a_route_that_names_the_issuer_s_host_is_refused_since_it_would_hide_gatelog_s_own_paths() {
        let load_with = |issuer: &str, host: &str| {
            let route = format!(
                "same_host=true\n{UPSTREAM}[[route]]\nname='mine'\nhost='{host}'\nmatch='GET /orders'\nallow='signed-in'\nto='orders'\n"
            );
            loaded_by(issuer, &route)
        };
        let issuer = "http://Gate.example:8080";

        for host in ["gate.example", "GATE.example:8080"] {
            let problems = load_with(issuer, host).unwrap_err();
            assert!(problems[0].contains("route mine: `host`"), "{problems:?}");
        }
        for host in ["api.example", "gate.example:9090", "gate.example.org"] {
            assert!(load_with(issuer, host).is_ok(), "{host}");
        }
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
