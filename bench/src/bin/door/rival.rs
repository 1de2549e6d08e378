//! HAProxy, which verifies the token of every request and writes an access log, and nginx as a plain proxy with a log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bench::Outcome;
use bench::process::{Server, free_port};
use serde_json::Value;

/// Where Debian's packages put their programs, which need not be on a user's path.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

fn find(program: &str) -> Option<PathBuf> {
    let mut places = FOLDERS.iter().map(|folder| Path::new(folder).join(program));
    places.find(|place| place.exists())
}

/// HAProxy before `upstream`, verifying with the first key of `jwks`; `None` if it is not installed.
pub(crate) async fn haproxy(
    folder: &Path,
    algorithm: &str,
    jwks: &Value,
    token: &str,
    upstream: u16,
) -> Outcome<Option<Server>> {
    let Some(program) = find("haproxy") else {
        return Ok(None);
    };
    let port = free_port()?;
    let kid = header_of(token)?;
    let key = folder.join(format!("{algorithm}.pem"));
    fs::write(&key, pem(jwks, &kid)?)?;
    let config = folder.join(format!("haproxy-{algorithm}.cfg"));
    let text = format!(
        "global\n  maxconn 1000\n  log stdout format raw local0\n\
         defaults\n  mode http\n  log global\n  option httplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         frontend door\n  bind 127.0.0.1:{port}\n  http-request return status 200 if {{ path /ready }}\n\
         \x20 http-request set-var(txn.token) http_auth_bearer\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.token),jwt_header_query('$.alg') -m str {algorithm} }}\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify({algorithm},\"{key}\") 1 }}\n\
         \x20 default_backend api\n\
         backend api\n  server upstream 127.0.0.1:{upstream}\n",
        key = key.display(),
    );
    fs::write(&config, text)?;
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(&config);
    logged(&mut command, &folder.join(format!("haproxy-{algorithm}.log")))?;
    Ok(Some(Server::start(&mut command, port, "/ready").await?.0))
}

/// nginx before `upstream`; `None` if it is not installed.
pub(crate) async fn nginx(folder: &Path, upstream: u16) -> Outcome<Option<Server>> {
    let Some(program) = find("nginx") else {
        return Ok(None);
    };
    let port = free_port()?;
    let config = folder.join("nginx.conf");
    let here = folder.display();
    let text = format!(
        "daemon off;\nworker_processes auto;\npid {here}/nginx.pid;\nerror_log {here}/nginx-error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log {here}/nginx-access.log combined;\n\
         \x20 client_body_temp_path {here}/body;\n  proxy_temp_path {here}/proxy;\n  fastcgi_temp_path {here}/fastcgi;\n\
         \x20 uwsgi_temp_path {here}/uwsgi;\n  scgi_temp_path {here}/scgi;\n  keepalive_requests 1000000;\n\
         \x20 upstream api {{ server 127.0.0.1:{upstream}; keepalive 64; }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port};\n\
         \x20   location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n  }}\n}}\n"
    );
    fs::write(&config, text)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&config);
    logged(&mut command, &folder.join("nginx.log"))?;
    Ok(Some(Server::start(&mut command, port, "/ready").await?.0))
}

fn logged(command: &mut Command, log: &Path) -> Outcome<()> {
    let log = File::create(log)?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}

/// The key id in a token's header.
fn header_of(token: &str) -> Outcome<String> {
    let header = token.split('.').next().unwrap_or_default();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
    Ok(header
        .get("kid")
        .and_then(Value::as_str)
        .ok_or("no kid")?
        .to_owned())
}

/// The key `kid` of a set in the form that HAProxy reads.
fn pem(jwks: &Value, kid: &str) -> Outcome<String> {
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or("no keys")?;
    let key = keys
        .iter()
        .find(|key| key.get("kid").and_then(Value::as_str) == Some(kid))
        .ok_or("no such key")?;
    let member = |name| -> Outcome<Vec<u8>> {
        let text = key
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("the key has no {name}"))?;
        Ok(URL_SAFE_NO_PAD.decode(text)?)
    };
    let der: PublicKeyX509Der<'_> = if key.get("n").is_some() {
        let components = PublicKeyComponents {
            n: member("n")?,
            e: member("e")?,
        };
        components.as_der()?
    } else {
        let point = [vec![4], member("x")?, member("y")?].concat();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)?.as_der()?
    };
    let body = STANDARD.encode(der.as_ref());
    Ok(format!(
        "-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    ))
}
