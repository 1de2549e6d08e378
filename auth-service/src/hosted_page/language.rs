//! Which language a page speaks: what the client asks for, or what the browser prefers. Pure.

/// A language that the pages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Korean,
}

/// Ranges that are looked at; a longer list is nobody's real preference.
const RANGES_MAX: usize = 20;

impl Language {
    /// By `ui_locales` (tags in order of preference), then by `Accept-Language` (RFC 9110 §12.5.4).
    pub(crate) fn choose(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace();
        asked
            .take(RANGES_MAX)
            .find_map(Self::of)
            .or_else(|| preferred(accept_language.unwrap_or_default()))
            .unwrap_or_default()
    }

    /// Its tag (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        [Self::English, Self::Korean]
            .into_iter()
            .find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

/// The known language of the highest weight, of equal ones the first.
fn preferred(accept_language: &str) -> Option<Language> {
    let mut best: Option<(Language, u16)> = None;
    for range in accept_language.split(',').take(RANGES_MAX) {
        let mut parts = range.split(';').map(str::trim);
        let Some(language) = parts.next().and_then(Language::of) else {
            continue;
        };
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1000, thousandths);
        if weight > best.map_or(0, |(_, former)| former) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

/// A weight of RFC 9110 §12.4.2: 0 to 1 with at most three digits; what is none of it counts for nothing.
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let is_digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, is_digits) {
        ("1", true) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_s_wish_comes_before_the_browser_s() {
        for (ui_locales, accept, language) in [
            (None, None, Language::English),
            (None, Some("ko-KR,ko;q=0.9,en;q=0.8"), Language::Korean),
            (None, Some("de, en;q=0.5, ko;q=0.7"), Language::Korean),
            (None, Some("ko;q=0, fr"), Language::English),
            (None, Some("ko;q=2, en;q=0.1"), Language::English),
            (None, Some(";;,q=,ko;q=x"), Language::English),
            (Some("fr-CA ko en"), Some("en"), Language::Korean),
            (Some("KO"), None, Language::Korean),
            (Some("korean"), Some("en"), Language::English),
        ] {
            assert_eq!(
                Language::choose(ui_locales, accept),
                language,
                "{ui_locales:?} {accept:?}"
            );
        }
    }
}
