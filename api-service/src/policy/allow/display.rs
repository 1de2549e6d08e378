//! Shows an expression: as it is written in a policy file, and as a sentence.

use std::fmt;
use std::time::Duration;

use super::Allow;

impl fmt::Display for Allow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |formatter: &mut fmt::Formatter<'_>, parts: &[Self], operator: &str| {
            for (index, part) in parts.iter().enumerate() {
                let between = if index == 0 { "" } else { operator };
                match part {
                    Self::All(_) | Self::Any(_) => write!(formatter, "{between}({part})")?,
                    _ => write!(formatter, "{between}{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Anyone => formatter.write_str("anyone"),
            Self::SignedIn => formatter.write_str("signed-in"),
            Self::Scope(name) => write!(formatter, "scope:{name}"),
            Self::Role(name) => write!(formatter, "role:{name}"),
            Self::Sub(name) => write!(formatter, "sub:{name}"),
            Self::Client(name) => write!(formatter, "client:{name}"),
            Self::Claim { path, value } => write!(formatter, "claim:{path}={value}"),
            Self::Age(age) => write!(formatter, "age<{}", Age(*age)),
            Self::Ip(net) => write!(formatter, "ip:{net}"),
            Self::Not(part) => match **part {
                Self::All(_) | Self::Any(_) => write!(formatter, "!({part})"),
                _ => write!(formatter, "!{part}"),
            },
            Self::All(parts) => joined(formatter, parts, " & "),
            Self::Any(parts) => joined(formatter, parts, " | "),
        }
    }
}

/// A time in the largest unit that divides it.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
            .into_iter()
            .find(|(unit, _)| seconds.is_multiple_of(*unit))
        {
            Some((unit, name)) => write!(formatter, "{}{name}", seconds / unit),
            None => write!(formatter, "{seconds}s"),
        }
    }
}

impl Allow {
    /// The expression as a sentence, for people who did not write it.
    pub fn sentence(&self) -> String {
        match self {
            Self::Anyone => "lets in everyone, with or without a token".to_owned(),
            _ if self.is_public() => {
                format!("lets in, even without a token, whoever {}", self.predicate(true))
            }
            _ => format!("lets in whoever has a valid token and {}", self.predicate(true)),
        }
    }

    /// What is said of someone who satisfies it, or does not.
    fn predicate(&self, is_true: bool) -> String {
        let either = |yes: String, no: String| if is_true { yes } else { no };
        match self {
            Self::Anyone => either("is anyone".into(), "is nobody".into()),
            Self::SignedIn => either("is signed in".into(), "is not signed in".into()),
            Self::Scope(name) => either(
                format!("has the scope `{name}`"),
                format!("lacks the scope `{name}`"),
            ),
            Self::Role(name) => either(
                format!("has the role `{name}`"),
                format!("lacks the role `{name}`"),
            ),
            Self::Sub(name) => either(
                format!("is the subject `{name}`"),
                format!("is not the subject `{name}`"),
            ),
            Self::Client(name) => either(
                format!("uses the client `{name}`"),
                format!("uses another client than `{name}`"),
            ),
            Self::Claim { path, value } => either(
                format!("has the claim `{path}` with `{value}`"),
                format!("lacks the claim `{path}` with `{value}`"),
            ),
            Self::Age(age) => either(
                format!("signed in less than {} ago", Age(*age)),
                format!("signed in {} ago or longer", Age(*age)),
            ),
            Self::Ip(net) => either(format!("comes from {net}"), format!("does not come from {net}")),
            Self::Not(part) => part.predicate(!is_true),
            // What is not all of them lacks one of them, and the other way round.
            Self::All(parts) => joined(parts, is_true, is_true),
            Self::Any(parts) => joined(parts, is_true, !is_true),
        }
    }
}

fn joined(parts: &[Allow], is_true: bool, by_and: bool) -> String {
    let between = if by_and { " and " } else { " or " };
    let said: Vec<_> = parts
        .iter()
        .map(|part| {
            let said = part.predicate(is_true);
            if part.is_compound() {
                format!("({said})")
            } else {
                said
            }
        })
        .collect();
    said.join(between)
}

impl Allow {
    fn is_compound(&self) -> bool {
        match self {
            Self::All(_) | Self::Any(_) => true,
            Self::Not(part) => part.is_compound(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        Allow::parse(text).unwrap().sentence()
    }

    #[test]
    fn an_expression_can_be_read_as_a_sentence() {
        assert_eq!(said("anyone"), "lets in everyone, with or without a token");
        assert_eq!(
            said("scope:a & (role:b | age<15m)"),
            "lets in whoever has a valid token and has the scope `a` and (has the role `b` or signed in less than 15m ago)"
        );
        assert_eq!(
            said("!(scope:a & ip:10.0.0.0/8)"),
            "lets in whoever has a valid token and lacks the scope `a` or does not come from 10.0.0.0/8"
        );
        assert_eq!(
            said("anyone & !ip:192.0.2.0/24"),
            "lets in, even without a token, whoever is anyone and does not come from 192.0.2.0/24"
        );
    }

    #[test]
    fn an_age_is_shown_in_the_largest_unit_that_fits() {
        for age in ["1d", "36h", "90m", "90s"] {
            assert_eq!(
                Allow::parse(&format!("age<{age}")).unwrap().to_string(),
                format!("age<{age}")
            );
        }
        assert_eq!(Allow::parse("age<3600s").unwrap().to_string(), "age<1h");
    }
}
