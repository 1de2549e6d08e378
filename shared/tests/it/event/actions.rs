//! The page of events says what the code says, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shared::event::{Class, Outcome};

/// What others call what happens. The page says of each what it is here, or that it is not.
const OTHERS: [&str; 7] = [
    // OWASP's logging vocabulary, as far as it is about identity and the system.
    "authn_login_success authn_login_successafterfail authn_login_fail authn_login_fail_max authn_login_lock \
     authn_password_change authn_password_change_fail authn_impossible_travel authn_token_created authn_token_revoked \
     authn_token_reuse authn_token_delete authz_fail authz_change authz_admin excess_rate_limit_exceeded session_created \
     session_renewed session_expired session_logout session_use_after_expire user_created user_updated user_archived \
     user_deleted privilege_permissions_changed sys_startup sys_shutdown sys_crash sys_monitor_disabled",
    // Keycloak's `EventType`.
    "LOGIN REGISTER LOGOUT CODE_TO_TOKEN CLIENT_LOGIN REFRESH_TOKEN VALIDATE_ACCESS_TOKEN INTROSPECT_TOKEN \
     FEDERATED_IDENTITY_LINK REMOVE_FEDERATED_IDENTITY UPDATE_EMAIL UPDATE_PROFILE UPDATE_PASSWORD UPDATE_TOTP \
     VERIFY_EMAIL VERIFY_PROFILE REMOVE_TOTP GRANT_CONSENT UPDATE_CONSENT REVOKE_GRANT SEND_VERIFY_EMAIL \
     SEND_RESET_PASSWORD SEND_IDENTITY_PROVIDER_LINK RESET_PASSWORD RESTART_AUTHENTICATION INVALID_SIGNATURE \
     REGISTER_NODE UNREGISTER_NODE USER_INFO_REQUEST IDENTITY_PROVIDER_LINK_ACCOUNT IDENTITY_PROVIDER_LOGIN \
     IDENTITY_PROVIDER_FIRST_LOGIN IDENTITY_PROVIDER_POST_LOGIN IDENTITY_PROVIDER_RESPONSE \
     IDENTITY_PROVIDER_RETRIEVE_TOKEN IMPERSONATE CUSTOM_REQUIRED_ACTION EXECUTE_ACTIONS EXECUTE_ACTION_TOKEN \
     CLIENT_INFO CLIENT_REGISTER CLIENT_UPDATE CLIENT_DELETE CLIENT_INITIATED_ACCOUNT_LINKING TOKEN_EXCHANGE \
     OAUTH2_DEVICE_AUTH OAUTH2_DEVICE_VERIFY_USER_CODE OAUTH2_DEVICE_CODE_TO_TOKEN AUTHREQID_TO_TOKEN \
     PERMISSION_TOKEN DELETE_ACCOUNT PUSHED_AUTHORIZATION_REQUEST USER_DISABLED_BY_PERMANENT_LOCKOUT \
     USER_DISABLED_BY_TEMPORARY_LOCKOUT OAUTH2_EXTENSION_GRANT JWT_BEARER UPDATE_CREDENTIAL REMOVE_CREDENTIAL \
     FEDERATED_IDENTITY_OVERRIDE_LINK",
    // Rauthy's events.
    "InvalidLogins IpBlacklisted IpBlacklistRemoved JwksRotated NewUserRegistered NewRauthyAdmin NewRauthyVersion \
     PossibleBruteForce RauthyStarted RauthyHealthy RauthyUnhealthy SecretsMigrated UserEmailChange UserPasswordReset \
     Test BackchannelLogoutFailed ScimTaskFailed ForcedLogout UserLoginRevoke SuspiciousApiScan LoginNewLocation \
     TokenIssued CredentialStuffing EmailSendError",
    // Supabase Auth's audit log.
    "login logout invite_accepted user_signedup user_invited user_deleted user_modified user_recovery_requested \
     user_reauthenticate_requested user_confirmation_requested user_repeated_signup user_updated_password token_revoked \
     token_refreshed factor_in_progress factor_unenrolled challenge_created verification_attempted factor_deleted \
     factor_updated identity_linked identity_unlinked passkey_created passkey_updated passkey_deleted",
    // authentik's events.
    "login login_failed logout user_write suspicious_request password_set secret_view secret_rotate invitation_used \
     authorize_application source_linked impersonation_started impersonation_ended flow_execution policy_execution \
     policy_exception property_mapping_exception configuration_error model_created model_updated model_deleted \
     email_sent export_ready",
    // Ory Hydra's, as its traces name them.
    "OAuth2LoginAccepted OAuth2LoginRejected OAuth2ConsentAccepted OAuth2ConsentRejected OAuth2ConsentRevoked \
     OAuth2ClientCreated OAuth2ClientUpdated OAuth2ClientDeleted OAuth2AccessTokenIssued OAuth2AccessTokenInspected \
     OAuth2AccessTokenRevoked OAuth2TokenExchangeError OAuth2RefreshTokenIssued OIDCIdentityTokenIssued \
     OAuth2DeviceUserCodeAccepted",
    // Ory Kratos', as far as it is about what is here.
    "IdentityCreated IdentityUpdated IdentityDeleted LoginInitiated LoginSucceeded LoginFailed RecoverySucceeded \
     RecoveryFailed SessionIssued SessionChanged SessionChecked SessionRevoked SessionLifespanExtended \
     SessionTokenizedAsJWT SettingsSucceeded SettingsFailed",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/events.md")).unwrap()
}

/// The rows of the table of actions, as their cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let (_, section) = page.split_once("## Actions\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The texts between quotation marks that follow `call` in a source, whatever the line breaks between.
fn arguments(source: &str, call: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices(call) {
        let rest = source[at + call.len()..].trim_start();
        if let Some(rest) = rest.strip_prefix('"') {
            found.push(rest.split('"').next().unwrap().to_owned());
        }
    }
    found
}

/// The words that types give whose names say that they are reasons or causes.
fn words_of_reasons(source: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, _) in source.match_indices("\nimpl ") {
        let block = source[at..].split("\n}\n").next().unwrap();
        let name = block.split_whitespace().nth(1).unwrap();
        if name.ends_with("Reason") || name.ends_with("Cause") {
            words.extend(arguments(block, "=>"));
        }
    }
    words
}

/// The code of the services, without their tests.
fn sources() -> String {
    let crates = ["shared", "auth-service", "api-service", "audit-collector"];
    let mut folders: Vec<PathBuf> = crates.iter().map(|name| root().join(name).join("src")).collect();
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                sources += text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            }
        }
    }
    sources
}

#[test]
fn every_action_stands_on_the_page_and_every_row_is_an_action() {
    let code = std::fs::read_to_string(root().join("shared/src/event/action.rs")).unwrap();
    let actions: BTreeSet<_> = arguments(&code, "&str =").into_iter().collect();
    let page = page();
    let told: BTreeSet<_> = rows(&page)
        .iter()
        .map(|row| quoted(&row[1]).next().unwrap().to_owned())
        .collect();

    assert!(actions.len() > 10, "{actions:?}");
    assert_eq!(actions, told, "docs/events.md has a row for each action");
}

#[test]
fn every_row_names_classes_and_outcomes_that_exist_and_says_what_happened() {
    let classes = Class::ALL.map(Class::as_str);
    let outcomes = Outcome::ALL.map(Outcome::as_str);
    for row in rows(&page()) {
        assert_eq!(row.len(), 7, "{row:?}");
        for class in row[2].split(" · ") {
            assert!(classes.contains(&class), "{row:?}");
        }
        for outcome in row[3].split(" · ") {
            let outcome = outcome.split(':').next().unwrap();
            assert!(outcomes.contains(&outcome), "{outcome} in {row:?}");
        }
        assert!(!row[4].is_empty(), "{row:?}");
    }
}

#[test]
fn everything_that_others_name_has_a_counterpart_or_a_reason_why_not() {
    let page = page();
    let (_, mapping) = page.split_once("## What others call it\n").unwrap();
    let left = mapping
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").next().unwrap());
    let told: BTreeSet<_> = left.flat_map(quoted).collect();

    let names = OTHERS.iter().flat_map(|names| names.split_whitespace());
    let untold: Vec<_> = names.filter(|name| !told.contains(name)).collect();

    assert!(untold.is_empty(), "docs/events.md does not tell of {untold:?}");
}

#[test]
fn every_member_of_a_detail_and_every_reason_is_told() {
    let page = page();
    let told: BTreeSet<_> = quoted(&page).collect();
    let code = sources();
    let mut used = arguments(&code, ".with_detail(");
    used.extend(arguments(&code, ".because("));
    used.extend(words_of_reasons(&code));
    assert!(used.len() > 10, "{used:?}");

    let untold: BTreeSet<_> = used.iter().filter(|word| !told.contains(word.as_str())).collect();

    assert!(untold.is_empty(), "docs/events.md does not tell of {untold:?}");
}

#[test]
fn every_administrative_act_tells_what_was_before_and_what_is_after() {
    // A link changes nothing of the user until the user does it; neither reading nor adding to the log changes anything, nor does a
    // message about nothing or an answer to whom a pseudonym stands for.
    let changes_nothing = [
        "original_revealed",
        "pseudonyms_found",
        "password_reset_issued",
        "sensitive_read",
        "log_exported",
        "log_imported",
        "notification_tested",
    ];
    let page = page();
    let acts: Vec<_> = rows(&page)
        .into_iter()
        .filter(|row| row[2].split(" · ").any(|class| class == "admin"))
        .collect();
    assert!(acts.len() > 10, "{acts:?}");

    for act in acts {
        let action = quoted(&act[1]).next().unwrap();
        let told: Vec<_> = quoted(&act[5]).collect();
        let tells = told.contains(&"before") && told.contains(&"after");
        assert!(tells || changes_nothing.contains(&action), "{act:?}");
    }
}
