//! The README's table of settings is what the services read.

use shared::runtime::settings::Setting;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const BEGIN: &str = "<!-- settings: kept true by standalone/tests/it/readme.rs -->\n";
const END: &str = "<!-- settings end -->";

fn table() -> String {
    let programs: [(&str, &str, Vec<Setting>); 4] = [
        (
            "`cargo run`",
            standalone::settings::PREFIX,
            standalone::settings::all(),
        ),
        (
            "auth-service",
            auth_service::settings::PREFIX,
            auth_service::settings::all(),
        ),
        (
            "api-service",
            api_service::settings::PREFIX,
            api_service::settings::all(),
        ),
        (
            "audit-collector",
            audit_collector::settings::PREFIX,
            audit_collector::settings::all(),
        ),
    ];
    let tables = programs.map(|(program, prefix, settings)| {
        let rows: Vec<String> = settings.iter().map(|setting| row(prefix, setting)).collect();
        format!(
            "\n| {program} | default | |\n|---|---|---|\n{}\n",
            rows.join("\n")
        )
    });
    format!("{}\n", tables.concat())
}

fn row(prefix: &str, setting: &Setting) -> String {
    let variable = format!("{prefix}{}", setting.key.to_ascii_uppercase());
    let default = match setting.default {
        Some("") => "none".to_owned(),
        Some(default) => format!("`{default}`"),
        None => String::new(),
    };
    let secret = if setting.is_secret { " *(secret)*" } else { "" };
    format!("| `{variable}`{secret} | {default} | {} |", setting.help)
}

#[test]
fn the_table_of_settings_is_true() {
    let readme = std::fs::read_to_string(README).unwrap();
    let (head, rest) = readme.split_once(BEGIN).unwrap();
    let (written, tail) = rest.split_once(END).unwrap();

    if std::env::vars_os().any(|(name, _)| name == "UPDATE_README") {
        std::fs::write(README, format!("{head}{BEGIN}{}{END}{tail}", table())).unwrap();
        return;
    }
    assert_eq!(written, table(), "run this test once with UPDATE_README=1");
}
