//! The console's files: how they are served, what is among them, and how much of it is loaded at first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde::Deserialize;

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/console");

/// What a browser loads until the first view stands, compressed, in bytes.
const FIRST_VIEW_BYTES_MAX: usize = 100_000;

async fn api() -> TestApi {
    TestApi::on(TestDatabase::sqlite().log().await)
}

async fn get(api: &TestApi, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

/// Every file below the folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, path);
            }
        }
    }
    found
}

fn own_scripts() -> impl Iterator<Item = (String, String)> {
    files(Path::new(FOLDER))
        .into_iter()
        .filter(|(name, _)| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "js")
                && !name.starts_with("vendor/")
        })
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
}

#[tokio::test]
async fn the_page_is_anybodys_and_lets_nothing_in_but_its_own_files() {
    let api = api().await;

    for path in ["/console/", "/console/app.js", "/console/nothing.js"] {
        let answer = get(&api, path, &[]).await;

        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|own| own == part), "{part} at {path}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert!(
            answer.headers["content-type"]
                .to_str()
                .unwrap()
                .ends_with("charset=utf-8")
        );
    }
    assert_eq!(get(&api, "/console/", &[]).await.status, StatusCode::OK);
    assert_eq!(
        get(&api, "/console/nothing.js", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(get(&api, "/console", &[]).await.headers["location"], "/console/");
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let api = api().await;

    for path in [
        "/console/../Cargo.toml",
        "/console/..%2FCargo.toml",
        "/console/vendor/..%2f..%2fCargo.toml",
        "/console//etc/passwd",
        "/console/%2Fetc%2Fpasswd",
        "/console/vendor/VENDOR.toml",
        "/console/vendor",
    ] {
        assert_eq!(get(&api, path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_known_is_not_sent_again_and_each_form_has_its_own_tag() {
    let api = api().await;
    let gzip = ("accept-encoding", "br, gzip;q=0.8");

    let plain = get(&api, "/console/app.js", &[]).await;
    let packed = get(&api, "/console/app.js", &[gzip]).await;
    let refused = get(&api, "/console/app.js", &[("accept-encoding", "gzip;q=0")]).await;
    let tag = packed.headers["etag"].to_str().unwrap();
    let again = get(&api, "/console/app.js", &[gzip, ("if-none-match", tag)]).await;
    let weak = format!("\"x\", W/{tag}");
    let weakly = get(&api, "/console/app.js", &[gzip, ("if-none-match", &weak)]).await;
    let other_form = get(&api, "/console/app.js", &[("if-none-match", tag)]).await;

    assert_eq!(plain.bytes, fs::read(Path::new(FOLDER).join("app.js")).unwrap());
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert!(packed.bytes.starts_with(&[0x1f, 0x8b]) && packed.bytes.len() < plain.bytes.len());
    assert!(refused.headers.get("content-encoding").is_none());
    assert_ne!(plain.headers["etag"], packed.headers["etag"]);
    assert_eq!(plain.headers["vary"], "accept-encoding");
    for answer in [again, weakly] {
        assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    assert_eq!(other_form.status, StatusCode::OK);
}

/// `from './a.js'` and `import('./a.js')`, relative to the script that they stand in.
fn imports(name: &str, text: &str) -> BTreeSet<String> {
    let folder = Path::new(name).parent().unwrap();
    let starts = ["from '", "from\"", "import('", "import '"];
    let named = starts.iter().flat_map(|start| text.split(start).skip(1));
    named
        .filter_map(|rest| rest.split(['\'', '"']).next())
        .filter(|path| path.starts_with('.'))
        .map(|path| {
            let mut parts: Vec<_> = folder.iter().map(|part| part.to_str().unwrap()).collect();
            for part in path.split('/') {
                match part {
                    "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            parts.join("/")
        })
        .collect()
}

#[tokio::test]
async fn the_first_view_with_its_charts_is_below_a_hundred_kilobytes() {
    let api = api().await;
    let mut wanted: Vec<String> = [
        "index.html",
        "style.css",
        "icon.svg",
        "app.js",
        "i18n/ko.js",
        "views/overview.js",
        "vendor/uplot-1.6.32/uplot.css",
    ]
    .map(str::to_owned)
    .to_vec();
    // All that those import, but the other views, which are loaded when they are shown.
    let mut loaded = BTreeSet::new();
    let mut bytes = 0;
    while let Some(name) = wanted.pop() {
        let is_later =
            name.starts_with("views/") && !["views/overview.js", "views/sign_in.js"].contains(&name.as_str());
        if is_later || !loaded.insert(name.clone()) {
            continue;
        }
        let answer = get(&api, &format!("/console/{name}"), &[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        bytes += answer.bytes.len();
        let text = fs::read_to_string(Path::new(FOLDER).join(&name)).unwrap();
        wanted.extend(imports(&name, &text));
    }

    assert!(loaded.contains("vendor/uplot-1.6.32/uplot.js"), "{loaded:?}");
    assert!(bytes < FIRST_VIEW_BYTES_MAX, "{bytes}");
}

#[test]
fn no_script_makes_markup_or_code_of_a_text_or_asks_another_origin() {
    for (name, text) in own_scripts() {
        for banned in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "dangerouslySetInnerHTML",
            "eval(",
            "new Function",
            "javascript:",
            "localStorage.setItem('token",
        ] {
            assert!(!text.contains(banned), "{banned} in {name}");
        }
        assert!(
            !text.contains("https://") || name.starts_with("i18n/"),
            "another origin in {name}"
        );
    }
}

#[test]
fn every_language_has_the_same_words() {
    let keys = |language: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(format!("{FOLDER}/i18n/{language}.js")).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("  '"));
        let keys: Vec<_> = lines
            .filter_map(|line| line.split_once("': "))
            .map(|(key, _)| key.to_owned())
            .collect();
        let set: BTreeSet<_> = keys.iter().cloned().collect();
        assert_eq!(keys.len(), set.len(), "a key stands twice in {language}");
        set
    };

    let (english, korean) = (keys("en"), keys("ko"));

    assert!(english.len() > 100);
    assert_eq!(
        english.symmetric_difference(&korean).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    // A text without a key would be shown as its key.
    for (name, text) in own_scripts() {
        for (at, _) in text.match_indices("t('") {
            let is_call =
                !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_.'".contains(before));
            let key = text[at + 3..].split('\'').next().unwrap();
            assert!(!is_call || english.contains(key), "{key} in {name}");
        }
    }
}

#[derive(Deserialize)]
struct Vendored {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: String,
    integrity: String,
    file: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    sha256: String,
}

#[test]
fn vendored_files_are_those_that_are_listed_and_come_with_their_licence() {
    let folder = Path::new(FOLDER).join("vendor");
    let list = fs::read_to_string(folder.join("VENDOR.toml")).unwrap();
    let list: Vendored = toml::from_str(&list).unwrap();
    let mut there = files(&folder);
    there.remove("VENDOR.toml");

    for package in list.package {
        let prefix = format!("{}-{}/", package.name, package.version);
        assert!(package.integrity.starts_with("sha512-"), "{}", package.name);
        assert!(["MIT", "Apache-2.0"].contains(&package.license.as_str()));
        assert!(
            there.contains_key(&format!("{prefix}LICENSE")),
            "{}",
            package.name
        );
        for file in package.file {
            assert!(file.path.starts_with(&prefix), "{}", file.path);
            let bytes = fs::read(there.remove(&file.path).expect("a listed file is there")).unwrap();
            let hash = digest(&SHA256, &bytes)
                .as_ref()
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            assert_eq!(hash, file.sha256, "{}", file.path);
        }
    }

    assert!(there.is_empty(), "not listed: {:?}", there.keys());
}
