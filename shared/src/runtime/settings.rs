//! Settings from a TOML file and the environment, all mistakes reported at once.
//!
//! A service declares each setting as a [`Setting`] and reads it through a [`Reader`]. What was given but not read
//! is unknown, which is a mistake too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

/// One setting as documented and read.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in the file; with the prefix and in capitals its environment variable.
    pub key: &'static str,
    /// What holds if it is not given; `None` if it must be or may be left out.
    pub default: Option<&'static str>,
    /// Whether it is a secret, which may also be given as the path of a file by `<key>_file`.
    pub is_secret: bool,
    /// What it is for, in one line.
    pub help: &'static str,
}

impl Setting {
    /// A setting that holds `default` unless given.
    pub const fn new(key: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            key,
            default: Some(default),
            is_secret: false,
            help,
        }
    }

    /// A setting without a default.
    pub const fn without_default(key: &'static str, help: &'static str) -> Self {
        Self {
            key,
            default: None,
            is_secret: false,
            help,
        }
    }

    /// A secret without a default.
    pub const fn secret(key: &'static str, help: &'static str) -> Self {
        Self {
            key,
            default: None,
            is_secret: true,
            help,
        }
    }
}

/// All that is wrong with the settings. The texts quote no secret.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<String>,
}

impl SettingsError {
    /// A single mistake.
    pub fn one(problem: impl Into<String>) -> Self {
        Self {
            problems: vec![problem.into()],
        }
    }

    /// Every mistake, a line each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

/// Reads settings and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    prefix: &'static str,
    /// Values by key, with the name under which each was given.
    given: BTreeMap<String, Given>,
    known: BTreeSet<String>,
    problems: Vec<String>,
}

#[derive(Debug)]
struct Given {
    name: String,
    value: String,
}

/// Variables of the test harness, which may be set where a service is started by hand.
const TEST_PREFIX: &str = "GATELOG_TEST_";

impl Reader {
    /// Takes the values of the TOML text and, over them, those of the variables that begin with `prefix`.
    pub fn new(
        prefix: &'static str,
        toml_text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let mut reader = Self {
            prefix,
            given: BTreeMap::new(),
            known: BTreeSet::new(),
            problems: Vec::new(),
        };
        match toml_text.parse::<toml::Table>() {
            Ok(table) => table
                .into_iter()
                .for_each(|(key, value)| reader.take_from_file(&key, &value)),
            Err(error) => reader
                .problems
                .push(format!("the file is not TOML: {}", error.message())),
        }
        for (name, value) in environment.filter(|(name, _)| !name.starts_with(TEST_PREFIX)) {
            if let Some(key) = name.strip_prefix(prefix) {
                reader
                    .given
                    .insert(key.to_ascii_lowercase(), Given { name, value });
            }
        }
        reader
    }

    /// Takes the file at `path`, if any, and the environment of the process.
    pub fn of_process(prefix: &'static str, path: Option<&Path>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        match path.map(|path| (path, std::fs::read_to_string(path))) {
            None => Self::new(prefix, "", environment),
            Some((_, Ok(text))) => Self::new(prefix, &text, environment),
            Some((path, Err(error))) => {
                let mut reader = Self::new(prefix, "", environment);
                reader.problem(format!("cannot read {}: {error}", path.display()));
                reader
            }
        }
    }

    /// The value of `setting`, or its default; a mistake if there is neither or it cannot be understood.
    pub fn value<T: FromStr<Err: fmt::Display>>(&mut self, setting: &Setting) -> Option<T> {
        match self.text(setting) {
            Some((name, text)) => self.parse(setting, &name, &text),
            None => self.missing(setting),
        }
    }

    /// The value of `setting` if it is given; a mistake only if it cannot be understood.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, setting: &Setting) -> Option<Option<T>> {
        match self.text(setting) {
            Some((name, text)) => self.parse(setting, &name, &text).map(Some),
            None => Some(None),
        }
    }

    /// The values of `setting`, separated by commas; empty if it is not given.
    pub fn list<T: FromStr<Err: fmt::Display>>(&mut self, setting: &Setting) -> Option<Vec<T>> {
        let Some((name, text)) = self.text(setting) else {
            return Some(Vec::new());
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let values: Vec<Option<T>> = parts.map(|part| self.parse(setting, &name, part)).collect();
        values.into_iter().collect()
    }

    /// The file that a secret is to be read from, if it was given by one.
    pub fn file_of(&self, setting: &Setting) -> Option<PathBuf> {
        let given = self.given.get(&format!("{}_file", setting.key));
        given.map(|given| PathBuf::from(&given.value))
    }

    /// A mistake found by the service itself.
    pub fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// The settings that `build` makes of what was read, unless anything was wrong.
    pub fn finish<S>(mut self, build: impl FnOnce() -> Option<S>) -> Result<S, SettingsError> {
        for (key, given) in &self.given {
            if !self.known.contains(key) {
                self.problems.push(format!("unknown setting {}", given.name));
            }
        }
        match build() {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError {
                problems: self.problems,
            }),
        }
    }

    fn take_from_file(&mut self, key: &str, value: &toml::Value) {
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                Some(value.to_string())
            }
            _ => None,
        };
        let text = match value {
            toml::Value::Array(values) => values
                .iter()
                .map(text)
                .collect::<Option<Vec<_>>>()
                .map(|texts| texts.join(",")),
            value => text(value),
        };
        match text {
            Some(value) => {
                self.given.insert(
                    key.to_owned(),
                    Given {
                        name: format!("`{key}`"),
                        value,
                    },
                );
            }
            None => self.problems.push(format!(
                "`{key}` must be a text, a number, a truth value or a list of them"
            )),
        }
    }

    /// The text of a setting and the name it was given under.
    fn text(&mut self, setting: &Setting) -> Option<(String, String)> {
        self.known.insert(setting.key.to_owned());
        let file_key = format!("{}_file", setting.key);
        if setting.is_secret {
            self.known.insert(file_key.clone());
            if let Some(file) = self.given.get(&file_key) {
                let (name, path) = (file.name.clone(), file.value.clone());
                match std::fs::read_to_string(&path) {
                    Ok(text) => return Some((name, text.trim_end_matches(['\r', '\n']).to_owned())),
                    Err(error) => self.problems.push(format!("{name}: cannot read {path}: {error}")),
                }
                return None;
            }
        }
        let given = self
            .given
            .get(setting.key)
            .map(|given| (given.name.clone(), given.value.clone()));
        given.or_else(|| {
            setting
                .default
                .map(|default| (self.variable(setting), default.to_owned()))
        })
    }

    fn parse<T: FromStr<Err: fmt::Display>>(
        &mut self,
        setting: &Setting,
        name: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) if setting.is_secret => {
                self.problems.push(format!("{name}: {error}"));
                None
            }
            Err(error) => {
                self.problems.push(format!("{name} = {text:?}: {error}"));
                None
            }
        }
    }

    fn missing<T>(&mut self, setting: &Setting) -> Option<T> {
        let variable = self.variable(setting);
        let file_key = format!("{}_file", setting.key);
        if self.given.contains_key(&file_key) {
            // That its file cannot be read has been said.
            return None;
        }
        let or_file = if setting.is_secret {
            format!(" or {variable}_FILE")
        } else {
            String::new()
        };
        self.problems
            .push(format!("{variable}{or_file} is required: {}", setting.help));
        None
    }

    fn variable(&self, setting: &Setting) -> String {
        format!("{}{}", self.prefix, setting.key.to_ascii_uppercase())
    }
}

/// A secret text that is not empty.
#[derive(Clone, Debug)]
pub struct SecretText(pub SecretString);

/// The secret is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is empty")]
pub struct EmptySecret;

impl FromStr for SecretText {
    type Err = EmptySecret;

    fn from_str(text: &str) -> Result<Self, EmptySecret> {
        if text.is_empty() {
            Err(EmptySecret)
        } else {
            Ok(Self(text.to_owned().into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use secrecy::ExposeSecret as _;

    use super::*;

    const LISTEN: Setting = Setting::new("listen", "127.0.0.1:8080", "the address to listen on");
    const URL: Setting = Setting::secret("broker_url", "the broker");
    const NAMES: Setting = Setting::new("names", "", "names");

    fn reader(toml_text: &str, environment: &[(&str, &str)]) -> Reader {
        let owned: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        Reader::new("GATELOG_API_", toml_text, owned.into_iter())
    }

    #[test]
    fn the_environment_stands_over_the_file_and_the_file_over_the_default() {
        let by_default: Option<SocketAddr> = reader("", &[]).value(&LISTEN);
        let by_file: Option<SocketAddr> = reader("listen = '127.0.0.1:1'", &[]).value(&LISTEN);
        let by_env: Option<SocketAddr> =
            reader("listen = '127.0.0.1:1'", &[("GATELOG_API_LISTEN", "127.0.0.1:2")]).value(&LISTEN);

        let ports = [by_default, by_file, by_env].map(|address| address.unwrap().port());
        assert_eq!(ports, [8080, 1, 2]);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut reader = reader("listne = 1", &[("GATELOG_API_LISTEN", "nowhere"), ("OTHER", "x")]);
        let listen: Option<SocketAddr> = reader.value(&LISTEN);
        let url: Option<SecretText> = reader.value(&URL);

        let error = reader.finish(|| Some((listen?, url?))).unwrap_err();

        let said = error.to_string();
        assert_eq!(error.problems().len(), 3, "{said}");
        for part in [
            "`listne`",
            "GATELOG_API_LISTEN = \"nowhere\"",
            "GATELOG_API_BROKER_URL_FILE is required",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_last_line_feed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();

        let path = file.path().to_str().unwrap();
        let secret: SecretText = reader("", &[("GATELOG_API_BROKER_URL_FILE", path)])
            .value(&URL)
            .unwrap();

        assert_eq!(secret.0.expose_secret(), "s3cret");
    }

    #[test]
    fn an_unreadable_secret_file_is_one_mistake_that_names_the_file() {
        let mut reader = reader("", &[("GATELOG_API_BROKER_URL_FILE", "/nonexistent/secret")]);
        let url: Option<SecretText> = reader.value(&URL);

        let error = reader.finish(|| url).unwrap_err();

        assert_eq!(error.problems().len(), 1, "{error}");
        assert!(error.to_string().contains("/nonexistent/secret"));
    }

    #[test]
    fn a_secret_that_cannot_be_understood_is_not_quoted() {
        let mut reader = reader("", &[("GATELOG_API_BROKER_URL", "hunter2")]);
        let port: Option<u16> = reader.value(&URL);

        let error = reader.finish(|| port).unwrap_err();

        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_list_is_separated_by_commas_in_the_environment_and_a_list_in_the_file() {
        let by_env: Vec<String> = reader("", &[("GATELOG_API_NAMES", "a, b,")])
            .list(&NAMES)
            .unwrap();
        let by_file: Vec<String> = reader("names = ['a', 'b']", &[]).list(&NAMES).unwrap();

        assert_eq!(by_env, ["a", "b"]);
        assert_eq!(by_file, by_env);
    }
}
