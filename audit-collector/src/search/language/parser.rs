//! Text → tree, by recursive descent.

use super::{BYTES_MAX, Comparison, DEPTH_MAX, InvalidFilter, Node, TERMS_MAX, Term, Value};
use crate::search::Field;

/// The longest name that an error repeats, in bytes.
const NAME_BYTES_MAX: usize = 32;

/// Words that put conditions together, and are values only in quotes: as one of a list, each would be a mistake that nobody sees.
const KEYWORDS: [&str; 3] = ["AND", "OR", "NOT"];

type Parsed<T> = Result<T, InvalidFilter>;

/// Reads a filter.
pub(in crate::search) fn parse(text: &str) -> Parsed<Node> {
    let mut parser = Parser {
        text,
        at: 0,
        terms: 0,
    };
    if text.len() > BYTES_MAX {
        return parser.fail(0, format!("a filter has at most {BYTES_MAX} bytes"));
    }
    let node = parser.any(0)?;
    if parser.rest().is_empty() {
        Ok(node)
    } else {
        parser.fail(parser.at, "there is no `(` for this `)`")
    }
}

struct Parser<'t> {
    text: &'t str,
    /// In bytes, always between two characters.
    at: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fail<T>(&self, at: usize, problem: impl Into<String>) -> Parsed<T> {
        Err(InvalidFilter {
            at: self.characters(at),
            problem: problem.into(),
        })
    }

    fn characters(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, |before| before.chars().count())
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// A word that is no name, if it stands alone.
    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let is_next = self
            .rest()
            .strip_prefix(keyword)
            .is_some_and(|after| after.chars().next().is_none_or(ends_word));
        if is_next {
            self.at += keyword.len();
            self.skip_space();
        }
        is_next
    }

    /// Up to the next space, parenthesis or quote.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let word = rest
            .find(ends_word)
            .and_then(|end| rest.get(..end))
            .unwrap_or(rest);
        self.at += word.len();
        word
    }

    fn any(&mut self, depth: usize) -> Parsed<Node> {
        let mut parts = vec![self.all(depth)?];
        while self.eat_keyword("OR") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Parsed<Node> {
        self.skip_space();
        let mut parts = Vec::new();
        loop {
            let is_over = self.rest().is_empty() || self.rest().starts_with(')');
            let begun = self.at;
            if is_over || self.eat_keyword("OR") {
                self.at = begun;
                break;
            }
            if !parts.is_empty() {
                self.eat_keyword("AND");
            }
            parts.push(self.one(depth)?);
            self.skip_space();
        }
        if parts.is_empty() {
            return self.fail(self.at, "a condition is missing here, such as `user:alice`");
        }
        Ok(one_or(parts, Node::All))
    }

    fn one(&mut self, depth: usize) -> Parsed<Node> {
        if depth >= DEPTH_MAX {
            return self.fail(self.at, format!("this is nested deeper than {DEPTH_MAX}"));
        }
        let begun = self.at;
        if self.eat_keyword("NOT") || self.eat("-") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        let node = if self.eat("(") {
            let node = self.any(depth + 1)?;
            if !self.eat(")") {
                return self.fail(begun, "this `(` is not closed");
            }
            node
        } else {
            self.term()?
        };
        match self.rest().chars().next() {
            None | Some(')') => Ok(node),
            Some(next) if next.is_whitespace() => Ok(node),
            Some(_) => self.fail(
                self.at,
                "a space is missing here, or the value needs quotes as a whole",
            ),
        }
    }

    fn term(&mut self) -> Parsed<Node> {
        let begun = self.at;
        if self.rest().starts_with('"') {
            let value = self.quoted()?;
            return self.finish(begun, None, value);
        }
        let rest = self.rest();
        let name_length = rest
            .find(|c: char| !(c.is_ascii_lowercase() || c == '_'))
            .filter(|length| *length > 0 && rest.get(*length..).is_some_and(|rest| rest.starts_with(':')));
        let Some(length) = name_length else {
            let value = self.bare(None)?;
            return self.finish(begun, None, value);
        };
        let name = rest.get(..length).unwrap_or_default();
        let Some(field) = Field::named(name) else {
            return self.fail(begun, unknown_field(name));
        };
        self.at += length + 1;
        if self.eat("(") {
            return self.group(field);
        }
        let value = self.value(field)?;
        self.finish(begun, Some(field), value)
    }

    /// `field:(one OR another)`, behind the parenthesis.
    fn group(&mut self, field: Field) -> Parsed<Node> {
        let opened = self.at - 1;
        let mut parts = Vec::new();
        self.skip_space();
        while !self.eat(")") {
            if self.rest().is_empty() {
                return self.fail(opened, "this `(` is not closed");
            }
            if !parts.is_empty() {
                self.eat_keyword("OR");
            }
            let begun = self.at;
            let value = self.value(field)?;
            parts.push(self.finish(begun, Some(field), value)?);
            self.skip_space();
        }
        if parts.is_empty() {
            return self.fail(opened, format!("a value of `{}` is missing here", field.name()));
        }
        Ok(one_or(parts, Node::Any))
    }

    fn finish(&mut self, begun: usize, field: Option<Field>, value: Value) -> Parsed<Node> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return self.fail(begun, format!("a filter has at most {TERMS_MAX} conditions"));
        }
        Ok(Node::Term(Term {
            at: self.characters(begun),
            field,
            value,
        }))
    }

    fn value(&mut self, field: Field) -> Parsed<Value> {
        if field.is_ordered() {
            for (sign, comparison) in Comparison::ALL {
                if self.eat(sign) {
                    return Ok(Value::Compared(comparison, self.compared(field)?));
                }
            }
        } else if let Some(sign) = self.rest().chars().next().filter(|next| "<>".contains(*next)) {
            let name = field.name();
            return self.fail(
                self.at,
                format!("`{name}` has no order to compare by; in quotes a `{sign}` means itself"),
            );
        }
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        self.bare(Some(field))
    }

    fn compared(&mut self, field: Field) -> Parsed<String> {
        let begun = self.at;
        let value = if self.rest().starts_with('"') {
            self.quoted()?
        } else {
            Value::Exact(self.word().to_owned())
        };
        match value {
            Value::Exact(text) if !text.is_empty() => Ok(text),
            _ => self.fail(begun, format!("a value of `{}` is missing here", field.name())),
        }
    }

    /// A text in quotes, in which `\` stands before a quote or another `\`; behind it, a `*` makes it a prefix.
    fn quoted(&mut self) -> Parsed<Value> {
        let begun = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += index + 1;
                    return Ok(if self.eat("*") {
                        Value::Prefix(text)
                    } else {
                        Value::Exact(text)
                    });
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => return self.fail(begun + index, "a `\\` stands only before a `\"` or another `\\`"),
                },
                character => text.push(character),
            }
        }
        self.fail(begun, "this quote is not closed")
    }

    /// A value without quotes.
    fn bare(&mut self, field: Option<Field>) -> Parsed<Value> {
        let begun = self.at;
        let word = self.word();
        if word.is_empty() {
            let of = field.map_or_else(String::new, |field| format!(" of `{}`", field.name()));
            return self.fail(begun, format!("a value{of} is missing here"));
        }
        if KEYWORDS.contains(&word) {
            return self.fail(
                begun,
                format!("`{word}` puts conditions together and is no value; in quotes it means itself"),
            );
        }
        if field.is_some_and(Field::is_ordered)
            && let Some((from, to)) = word.split_once("..")
        {
            let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            if from.is_empty() && to.is_empty() {
                return self.fail(begun, "a range needs at least one end, such as `400..`");
            }
            return Ok(Value::Range(end(from), end(to)));
        }
        let (text, is_prefix) = word.strip_suffix('*').map_or((word, false), |text| (text, true));
        if let Some(star) = text.find('*') {
            return self.fail(
                begun + star,
                "a `*` stands only at the end; in quotes it means itself",
            );
        }
        Ok(match (text, is_prefix) {
            ("", true) => Value::Present,
            (text, true) => Value::Prefix(text.to_owned()),
            (text, false) => Value::Exact(text.to_owned()),
        })
    }
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"')
}

/// The only part itself, or all of them together.
fn one_or(mut parts: Vec<Node>, together: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            together(parts)
        }
    }
}

fn unknown_field(name: &str) -> String {
    let shown = shared::event::bounded(name, NAME_BYTES_MAX);
    if let Some(near) = Field::nearest(name) {
        return format!("there is no field `{shown}`; did you mean `{}`?", near.name());
    }
    let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
    let names = names.join(", ");
    format!("there is no field `{shown}`, only {names}; a text with a `:` needs quotes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree as text again.
    fn write(node: &Node) -> String {
        match node {
            Node::All(parts) => parts.iter().map(write_part).collect::<Vec<_>>().join(" "),
            Node::Any(parts) => parts.iter().map(write_part).collect::<Vec<_>>().join(" OR "),
            Node::Not(part) => format!("-{}", write_part(part)),
            Node::Term(term) => {
                let value = write_value(&term.value);
                term.field
                    .map_or_else(|| value.clone(), |field| format!("{}:{value}", field.name()))
            }
        }
    }

    fn write_part(node: &Node) -> String {
        match node {
            Node::All(_) | Node::Any(_) => format!("({})", write(node)),
            Node::Not(_) | Node::Term(_) => write(node),
        }
    }

    fn quote(text: &str) -> String {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }

    fn write_value(value: &Value) -> String {
        match value {
            Value::Exact(text) => quote(text),
            Value::Prefix(text) => format!("{}*", quote(text)),
            Value::Present => "*".to_owned(),
            Value::Compared(comparison, text) => {
                let signs = Comparison::ALL.into_iter();
                let (sign, _) = signs.into_iter().find(|(_, one)| one == comparison).unwrap();
                format!("{sign}{}", quote(text))
            }
            Value::Range(from, to) => format!(
                "{}..{}",
                from.as_deref().unwrap_or_default(),
                to.as_deref().unwrap_or_default()
            ),
        }
    }

    fn error(text: &str) -> (usize, String) {
        let error = parse(text).expect_err(text);
        (error.at, error.problem)
    }

    #[test]
    fn what_people_write_is_understood() {
        for (text, expected) in [
            ("user:alice", r#"user:"alice""#),
            ("user:alice outcome:denied", r#"user:"alice" outcome:"denied""#),
            ("  a OR b c  ", r#""a" OR ("b" "c")"#),
            ("a AND (b OR c)", r#""a" ("b" OR "c")"#),
            ("-reason:token_expired", r#"-reason:"token_expired""#),
            ("NOT (a b)", r#"-("a" "b")"#),
            ("path:/orders/*", r#"path:"/orders/"*"#),
            ("path:/a/../b", r#"path:"/a/../b""#),
            ("status:>=400 status:<\"500\"", r#"status:>="400" status:<"500""#),
            ("status:400..499", "status:400..499"),
            ("status:400..", "status:400.."),
            (
                "time:2026-01-31T12:00:00Z..2026-01-31T13:00:00+01:00",
                "time:2026-01-31T12:00:00Z..2026-01-31T13:00:00+01:00",
            ),
            ("status:(401 OR 403)", r#"status:"401" OR status:"403""#),
            ("user:(alice \"bob b\")", r#"user:"alice" OR user:"bob b""#),
            ("reason:*", "reason:*"),
            (r#"path:"/a b""#, r#"path:"/a b""#),
            (r#"path:"/a b"*"#, r#"path:"/a b"*"#),
            (r#""a \"b\" \\ *""#, r#""a \"b\" \\ *""#),
            ("2001:db8::1", r#""2001:db8::1""#),
            ("ip:2001:db8::/32", r#"ip:"2001:db8::/32""#),
            ("ORDER", r#""ORDER""#),
            ("request_id:x", r#"request:"x""#),
            ("((((a))))", r#""a""#),
            ("--a", r#"--"a""#),
            (r#"user:("OR" and)"#, r#"user:"OR" OR user:"and""#),
            (r#""AND" ANDY"#, r#""AND" "ANDY""#),
            (r#"path:">=/a""#, r#"path:">=/a""#),
        ] {
            assert_eq!(write(&parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, at, word) in [
            ("", 0, "missing"),
            ("stauts:401", 0, "did you mean `status`"),
            ("user:alice  nonsense:1", 12, "there is no field `nonsense`"),
            ("user:", 5, "a value of `user`"),
            ("user: alice", 5, "a value of `user`"),
            ("status:>=", 9, "a value of `status`"),
            ("status:..", 7, "at least one end"),
            ("(user:alice", 0, "not closed"),
            ("user:(a", 5, "not closed"),
            ("user:()", 5, "a value of `user`"),
            ("user:alice)", 10, "no `(`"),
            ("\u{e4}\u{e4} OR", 5, "missing"),
            ("OR a", 0, "missing"),
            ("a OR OR b", 5, "missing"),
            ("a \"b", 2, "not closed"),
            ("path:\"\\n\"", 6, "stands only before"),
            ("path:/a*b", 7, "only at the end"),
            ("user:al\"ice\"", 7, "a space is missing"),
            ("(a)b", 3, "a space is missing"),
            ("-", 1, "a value is missing"),
            ("AND a", 0, "`AND` puts conditions together"),
            ("a AND AND b", 6, "`AND` puts"),
            ("a AND OR b", 6, "`OR` puts"),
            ("user:(alice AND bob)", 12, "in quotes it means itself"),
            ("user:(NOT alice)", 6, "`NOT` puts"),
            ("user:(OR alice)", 6, "`OR` puts"),
            ("user:OR", 5, "`OR` puts"),
            ("user:(>=3)", 6, "`user` has no order"),
            ("path:>=/a", 5, "in quotes a `>` means itself"),
            ("a ip:<10.0.0.1", 5, "`ip` has no order"),
        ] {
            let (found, problem) = error(text);
            assert_eq!(found, at, "{text}: {problem}");
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(error(&"a".repeat(2049)).1.contains("2048"));
        assert!(error(&"abc ".repeat(65)).1.contains("64"));
        assert!(error(&"(".repeat(500)).1.contains("deeper"));
        assert!(error(&format!("{}a", "-".repeat(500))).1.contains("deeper"));
    }

    fn value(field: Field) -> BoxedStrategy<Value> {
        let text = "[a-z0-9/.:*\"\\\\ \u{e4}()<>-]{1,12}";
        let plain = prop_oneof![
            4 => text.prop_map(Value::Exact),
            2 => text.prop_map(Value::Prefix),
            1 => Just(Value::Present),
        ];
        if !field.is_ordered() {
            return plain.boxed();
        }
        let signs: Vec<_> = Comparison::ALL.into_iter().map(|(_, one)| one).collect();
        let compared =
            (prop::sample::select(signs), text).prop_map(|(sign, text)| Value::Compared(sign, text));
        let end = || proptest::option::of("[0-9a-z:+-]{1,8}");
        let range = (end(), end())
            .prop_filter("one end at least", |(from, to)| from.is_some() || to.is_some())
            .prop_map(|(from, to)| Value::Range(from, to));
        prop_oneof![plain, compared, range].boxed()
    }

    fn tree() -> impl Strategy<Value = Node> {
        let field = prop::sample::select(Field::ALL);
        let term = field.prop_flat_map(|field| {
            value(field).prop_map(move |value| {
                Node::Term(Term {
                    at: 0,
                    field: Some(field),
                    value,
                })
            })
        });
        term.prop_recursive(3, 20, 3, |inner| {
            let several = || prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                several().prop_map(Node::All),
                several().prop_map(Node::Any),
                inner.clone().prop_map(|node| Node::Not(Box::new(node))),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".*") {
            drop(parse(&text));
        }

        #[test]
        fn no_filter_is_too_strange(text in "([a-z:()\"\\\\* .<>=-]|AND|OR|NOT){0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.at <= text.chars().count());
            }
        }

        #[test]
        fn what_puts_conditions_together_or_compares_is_no_text_without_quotes(
            field in prop::sample::select(Field::ALL),
            word in prop::sample::select(KEYWORDS.as_slice()),
            sign in prop::sample::select(vec!["<", ">", "<=", ">="]),
        ) {
            let name = field.name();
            for text in [
                format!("{name}:{word}"),
                format!("{name}:({word} a)"),
                format!("{name}:(a {word})"),
                format!("-{word}"),
                format!("abc AND {word}"),
            ] {
                prop_assert!(parse(&text).is_err(), "{}", text);
            }
            if !field.is_ordered() {
                let place = name.len() + 1;
                prop_assert_eq!(error(&format!("{name}:{sign}a")).0, place);
                prop_assert_eq!(error(&format!("{name}:({sign}a)")).0, place + 1);
            }
            for text in [format!("{name}:(\"{word}\" a)"), format!("{name}:\"{sign}a\"")] {
                prop_assert!(parse(&text).is_ok(), "{}", text);
            }
        }

        #[test]
        fn every_tree_is_read_back(tree in tree()) {
            let text = write(&tree);
            let read = parse(&text);
            if text.len() <= BYTES_MAX {
                prop_assert_eq!(read.map(|read| write(&read)), Ok(text));
            }
        }
    }
}
