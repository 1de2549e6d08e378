//! Finds the one route for a request, by host, path and method.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use super::{Route, Target, Upstream};

/// Routes ready to be matched. A path that several templates match goes to the most specific: literal text before
/// `{name}` before `{rest..}`, segment by segment from the left. `{rest..}` is all that follows, nothing included, and a
/// slash at the end makes no other path: to most upstreams `/a`, `/a/` and what a rule on `/a/{rest..}` guards are one.
#[derive(Debug, Default)]
pub struct RouteTable {
    issuer_host: Node,
    hosts: HashMap<String, Node>,
    routes: Vec<Arc<Route>>,
}

/// What may follow one prefix of templates.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    name: Option<Box<Node>>,
    /// Routes whose template ends here.
    ends: Vec<Arc<Route>>,
    /// Routes whose template ends in `{rest..}` here.
    rests: Vec<Arc<Route>>,
}

/// One segment of a template.
#[derive(Debug, PartialEq, Eq)]
enum Segment<'t> {
    Literal(&'t str),
    Name,
    Rest,
}

impl RouteTable {
    /// The table of `routes`, or every pair of them that cannot be told apart and every template that is not one.
    pub fn build(routes: Vec<Route>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut table = Self::default();
        for route in routes {
            let Some(segments) = segments(&route.template) else {
                problems.push(format!(
                    "route {}: `{}` is not a template of a path",
                    route.name, route.template
                ));
                continue;
            };
            let root = match &route.host {
                None => &mut table.issuer_host,
                Some(host) => table.hosts.entry(host.clone()).or_default(),
            };
            let alike = root.routes_at(&segments);
            if let Some(twin) = alike.iter().find(|twin| twin.method == route.method) {
                problems.push(format!(
                    "routes {} and {} match the same requests",
                    twin.name, route.name
                ));
            }
            let route = Arc::new(route);
            alike.push(Arc::clone(&route));
            table.routes.push(route);
        }
        if problems.is_empty() {
            Ok(table)
        } else {
            Err(problems)
        }
    }

    /// Every route, the built-in ones first, the others as the file has them.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every upstream that a route leads to, once or more often.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.routes.iter().filter_map(|route| match &route.target {
            Target::Upstream(upstream) => Some(upstream),
            Target::Me
            | Target::Intake
            | Target::Description
            | Target::ProtectedResource
            | Target::Decided => None,
        })
    }

    /// The route for a request to a normalised path. Hosts that no route names are the issuer's.
    ///
    /// The most specific template decides alone: if it has no route for the method, no other is asked.
    pub fn find(&self, host: Option<&str>, method: &Method, path: &str) -> Option<&Arc<Route>> {
        let host = host.map(str::to_ascii_lowercase);
        let named = host.as_deref().and_then(|host| {
            self.hosts
                .get(host)
                .or_else(|| self.hosts.get(without_port(host)))
        });
        let segments = path_segments(path)?;
        let routes = named.unwrap_or(&self.issuer_host).find(&segments)?;
        routes.iter().find(|route| route.method == *method)
    }
}

impl Node {
    fn routes_at(&mut self, segments: &[Segment<'_>]) -> &mut Vec<Arc<Route>> {
        match segments {
            [] => &mut self.ends,
            [Segment::Rest, ..] => &mut self.rests,
            [Segment::Name, after @ ..] => self.name.get_or_insert_default().routes_at(after),
            [Segment::Literal(text), after @ ..] => self
                .literals
                .entry((*text).to_owned())
                .or_default()
                .routes_at(after),
        }
    }

    fn find(&self, segments: &[&str]) -> Option<&Vec<Arc<Route>>> {
        let rests = || (!self.rests.is_empty()).then_some(&self.rests);
        let [first, after @ ..] = segments else {
            return (!self.ends.is_empty()).then_some(&self.ends).or_else(rests);
        };
        let literal = self.literals.get(*first).and_then(|node| node.find(after));
        let named = || self.name.as_ref().and_then(|node| node.find(after));
        literal.or_else(named).or_else(rests)
    }
}

/// The segments of a path, without the empty one that a slash at its end makes.
fn path_segments(path: &str) -> Option<Vec<&str>> {
    let relative = path.strip_prefix('/')?;
    let relative = relative.strip_suffix('/').unwrap_or(relative);
    Some(if relative.is_empty() {
        Vec::new()
    } else {
        relative.split('/').collect()
    })
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name)
}

/// Reads a template: `/literal`, `/{name}` for one segment, a last `/{rest..}` for all that follow.
fn segments(template: &str) -> Option<Vec<Segment<'_>>> {
    let segments: Vec<_> = path_segments(template)?
        .into_iter()
        .map(segment)
        .collect::<Option<_>>()?;
    let before = segments.split_last().map_or(&[][..], |(_, before)| before);
    (!before.contains(&Segment::Rest)).then_some(segments)
}

fn segment(text: &str) -> Option<Segment<'_>> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let Some(placeholder) = text.strip_prefix('{') else {
        return (!text.contains(['{', '}', '*', '?', '#', '%'])).then_some(Segment::Literal(text));
    };
    let placeholder = placeholder.strip_suffix('}')?;
    match placeholder.strip_suffix("..") {
        Some(name) => is_name(name).then_some(Segment::Rest),
        None => is_name(placeholder).then_some(Segment::Name),
    }
}

#[cfg(test)]
mod tests {
    use shared::token::AudienceRule;

    use super::super::{Allow, Audit, Passage, Revocation, StreamEnd};
    use super::*;

    fn route(name: &str, host: Option<&str>, method: Method, template: &str) -> Route {
        Route {
            name: name.into(),
            host: host.map(Into::into),
            method,
            template: template.into(),
            allow: Allow::SignedIn,
            rule: Allow::SignedIn.to_string(),
            audience: AudienceRule::Apis,
            target: Target::Me,
            forward_token: false,
            audit: Audit::Durable,
            passage: Passage::default(),
            rates: Vec::new(),
            revocation: Revocation::default(),
            stream_end: StreamEnd::default(),
        }
    }

    fn found(table: &RouteTable, host: &str, method: &Method, path: &str) -> Option<String> {
        table
            .find(Some(host), method, path)
            .map(|route| route.name.clone())
    }

    #[test]
    fn the_most_specific_template_wins_and_the_method_is_exact() {
        let table = RouteTable::build(vec![
            route("rest", None, Method::GET, "/files/{rest..}"),
            route("one", None, Method::GET, "/files/{id}"),
            route("latest", None, Method::GET, "/files/latest"),
            route("post", None, Method::POST, "/files/{id}"),
        ])
        .unwrap();

        assert_eq!(
            found(&table, "h", &Method::GET, "/files/latest").as_deref(),
            Some("latest")
        );
        assert_eq!(
            found(&table, "h", &Method::GET, "/files/7").as_deref(),
            Some("one")
        );
        assert_eq!(
            found(&table, "h", &Method::GET, "/files/7/a").as_deref(),
            Some("rest")
        );
        assert_eq!(
            found(&table, "h", &Method::POST, "/files/7").as_deref(),
            Some("post")
        );
        assert_eq!(found(&table, "h", &Method::DELETE, "/files/7"), None);
        assert_eq!(
            found(&table, "h", &Method::GET, "/files").as_deref(),
            Some("rest")
        );
        assert_eq!(
            found(&table, "h", &Method::GET, "/files/").as_deref(),
            Some("rest")
        );
        assert_eq!(found(&table, "h", &Method::GET, "/"), None);
        assert_eq!(found(&table, "h", &Method::GET, "/Files/7"), None);
    }

    #[test]
    fn a_slash_at_the_end_does_not_pass_a_narrow_rule_by_a_wide_one() {
        let table = RouteTable::build(vec![
            route("wide", None, Method::GET, "/{rest..}"),
            route("narrow", None, Method::GET, "/secret"),
            route("below", None, Method::GET, "/admin/{rest..}"),
        ])
        .unwrap();

        for (path, name) in [
            ("/secret", "narrow"),
            ("/secret/", "narrow"),
            ("/admin", "below"),
            ("/admin/", "below"),
            ("/admin/x/", "below"),
            ("/", "wide"),
            ("/secrets", "wide"),
        ] {
            assert_eq!(
                found(&table, "h", &Method::GET, path).as_deref(),
                Some(name),
                "{path}"
            );
        }
    }

    #[test]
    fn a_host_has_its_own_routes_only() {
        let table = RouteTable::build(vec![
            route("own", None, Method::GET, "/a"),
            route("api", Some("api.example.com"), Method::GET, "/a"),
        ])
        .unwrap();

        assert_eq!(
            found(&table, "API.example.com:8080", &Method::GET, "/a").as_deref(),
            Some("api")
        );
        assert_eq!(found(&table, "other", &Method::GET, "/a").as_deref(), Some("own"));
    }

    #[test]
    fn routes_that_match_alike_are_refused_by_name() {
        let problems = RouteTable::build(vec![
            route("first", None, Method::GET, "/a/{id}"),
            route("second", None, Method::GET, "/a/{id}"),
            route("third", None, Method::GET, "/a/{other}"),
            route("fourth", None, Method::PUT, "/a/{other}"),
        ])
        .unwrap_err();

        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("first and second"), "{problems:?}");
        assert!(problems[1].contains("first and third"), "{problems:?}");
        assert!(
            problems[1].contains("third") || problems[1].contains("first"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in [
            "a",
            "/a{id}",
            "/{}",
            "/{rest..}/a",
            "/{a b}",
            "/a*",
            "/{id",
            "/%61",
        ] {
            assert!(
                RouteTable::build(vec![route("r", None, Method::GET, template)]).is_err(),
                "{template}"
            );
        }
    }
}
