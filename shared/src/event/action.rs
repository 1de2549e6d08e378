//! The names of actions; those of the OWASP logging vocabulary where it has one.

/// A request was answered at a door.
pub const API_REQUEST: &str = "api_request";
/// The body of an answer ended after its head was recorded.
pub const API_RESPONSE_END: &str = "api_response_end";
/// Another service says that it answered a request.
pub const REPORTED_REQUEST: &str = "reported_request";
/// Someone signed in.
pub const AUTHN_LOGIN_SUCCESS: &str = "authn_login_success";
/// Someone failed to sign in.
pub const AUTHN_LOGIN_FAIL: &str = "authn_login_fail";
/// Nothing more is tried for an account, a device or an address with an account: too many failures in a row.
pub const AUTHN_LOGIN_LOCK: &str = "authn_login_lock";
/// An address or a network tries more than it may.
pub const EXCESS_RATE_LIMIT_EXCEEDED: &str = "excess_rate_limit_exceeded";
/// An operator lets something be tried again.
pub const LOCKOUT_CLEARED: &str = "lockout_cleared";
/// A password was right, and its user is asked for a second factor.
pub const AUTHN_MFA_CHALLENGE: &str = "authn_mfa_challenge";
/// A second factor was right.
pub const AUTHN_MFA_SUCCESS: &str = "authn_mfa_success";
/// A second factor, or the ticket that stands for the first, was refused.
pub const AUTHN_MFA_FAIL: &str = "authn_mfa_fail";
/// A user got a secret that is to become its second factor.
pub const MFA_ENROLMENT_BEGUN: &str = "mfa_enrolment_begun";
/// A user has a second factor from now on.
pub const MFA_FACTOR_ADDED: &str = "mfa_factor_added";
/// A user has no second factor any more.
pub const MFA_FACTOR_REMOVED: &str = "mfa_factor_removed";
/// A user got new recovery codes in place of the former.
pub const MFA_RECOVERY_CODES_CREATED: &str = "mfa_recovery_codes_created";
/// An access token was minted.
pub const AUTHN_TOKEN_CREATED: &str = "authn_token_created";
/// A refresh was refused.
pub const AUTHN_TOKEN_REFRESH_FAIL: &str = "authn_token_refresh_fail";
/// A refresh token that was already replaced was presented again.
pub const AUTHN_TOKEN_REUSE: &str = "authn_token_reuse";
/// A client did not prove who it says it is.
pub const AUTHN_CLIENT_FAIL: &str = "authn_client_fail";
/// A session, token or subject was revoked.
pub const AUTHN_TOKEN_REVOKED: &str = "authn_token_revoked";
/// Someone signed out.
pub const AUTHN_LOGOUT: &str = "authn_logout";
/// A password was set.
pub const AUTHN_PASSWORD_CHANGE: &str = "authn_password_change";
/// A one-time token was presented that is unknown, expired or used.
pub const AUTHN_ONE_TIME_TOKEN_FAIL: &str = "authn_one_time_token_fail";
/// An authorization code was issued.
pub const AUTHN_CODE_CREATED: &str = "authn_code_created";
/// An authorization code was refused.
pub const AUTHN_CODE_FAIL: &str = "authn_code_fail";
/// An authorization code that was redeemed already was presented again.
pub const AUTHN_CODE_REUSE: &str = "authn_code_reuse";
/// A session was opened from an authorization code.
pub const SESSION_CREATED: &str = "session_created";
/// A user allowed a client of somebody else to act for it.
pub const CONSENT_GRANTED: &str = "consent_granted";
/// A user took back what it had allowed a client.
pub const CONSENT_REVOKED: &str = "consent_revoked";
/// A user was made.
pub const USER_CREATED: &str = "user_created";
/// A user was disabled.
pub const USER_DISABLED: &str = "user_disabled";
/// A disabled user was enabled again.
pub const USER_ENABLED: &str = "user_enabled";
/// A user was deleted; its name stays taken.
pub const USER_DELETED: &str = "user_deleted";
/// A user got other roles, or a role got other scopes.
pub const PRIVILEGE_PERMISSIONS_CHANGED: &str = "privilege_permissions_changed";
/// A role was made.
pub const ROLE_CREATED: &str = "role_created";
/// A role was deleted.
pub const ROLE_DELETED: &str = "role_deleted";
/// A one-time token was made with which a user sets its password.
pub const PASSWORD_RESET_ISSUED: &str = "password_reset_issued";
/// Whoever runs the command line made an administrator who can sign in.
pub const ADMIN_RECOVERED: &str = "admin_recovered";
/// A client was registered.
pub const CLIENT_CREATED: &str = "client_created";
/// A client was changed, disabled or enabled.
pub const CLIENT_UPDATED: &str = "client_updated";
/// A client was deleted.
pub const CLIENT_DELETED: &str = "client_deleted";
/// A client got a secret.
pub const CLIENT_SECRET_CREATED: &str = "client_secret_created";
/// A secret of a client was deleted.
pub const CLIENT_SECRET_DELETED: &str = "client_secret_deleted";
/// A user got an API key.
pub const API_KEY_CREATED: &str = "api_key_created";
/// An API key was deleted.
pub const API_KEY_DELETED: &str = "api_key_deleted";
/// A signing key was made.
pub const CRYPT_KEY_CREATED: &str = "crypt_key_created";
/// An address, a network or a subject is kept out from now on.
pub const BLOCK_CREATED: &str = "block_created";
/// Somebody who was kept out is let in again.
pub const BLOCK_LIFTED: &str = "block_lifted";
/// It was decided when a signing key signs.
pub const CRYPT_KEY_SCHEDULED: &str = "crypt_key_scheduled";
/// A signing key is of no more use, and its private half is forgotten.
pub const CRYPT_KEY_RETIRED: &str = "crypt_key_retired";
/// A signing key was taken out of service before its time.
pub const CRYPT_KEY_REVOKED: &str = "crypt_key_revoked";
/// Another policy is in force at a door.
pub const POLICY_CHANGED: &str = "policy_changed";
/// A changed policy was refused; the former stays in force.
pub const POLICY_CHANGE_FAIL: &str = "policy_change_fail";
/// A server of an upstream is given requests no more by a door, or again.
pub const UPSTREAM_CHANGED: &str = "upstream_changed";
/// Events were taken elsewhere as a file.
pub const LOG_EXPORTED: &str = "log_exported";
/// The log of another program was appended.
pub const LOG_IMPORTED: &str = "log_imported";
/// Events that had been kept for long enough were removed.
pub const RETENTION_RUN: &str = "retention_run";
/// The events of a class are kept for longer.
pub const RETENTION_LENGTHENED: &str = "retention_lengthened";
/// Somebody asks that events be kept for a shorter time, or that a hold be released.
pub const RETENTION_CHANGE_REQUESTED: &str = "retention_change_requested";
/// Somebody else confirmed it.
pub const RETENTION_CHANGE_CONFIRMED: &str = "retention_change_confirmed";
/// It will not be done.
pub const RETENTION_CHANGE_WITHDRAWN: &str = "retention_change_withdrawn";
/// Events are kept whatever their age.
pub const HOLD_ADDED: &str = "hold_added";
/// A search was kept under a name.
pub const SEARCH_SAVED: &str = "search_saved";
/// A kept search was changed.
pub const SEARCH_CHANGED: &str = "search_changed";
/// A kept search was deleted.
pub const SEARCH_DELETED: &str = "search_deleted";
/// A receiver of forwarded events takes none.
pub const FORWARDING_STALLED: &str = "forwarding_stalled";
/// It takes them again.
pub const FORWARDING_RESUMED: &str = "forwarding_resumed";
/// Somebody was told what the pseudonyms of an event stand for.
pub const ORIGINAL_REVEALED: &str = "original_revealed";
/// Somebody was told by which pseudonyms a name or an address is found.
pub const PSEUDONYMS_FOUND: &str = "pseudonyms_found";
/// Stored events were read.
pub const SENSITIVE_READ: &str = "sensitive_read";
/// A rule found something in the events.
pub const ALERT_RAISED: &str = "alert_raised";
/// Somebody took an alert on, judged it or gave it away.
pub const ALERT_CHANGED: &str = "alert_changed";
/// Somebody wrote a note to an alert.
pub const ALERT_NOTED: &str = "alert_noted";
/// Somebody decided whether a rule is told.
pub const RULE_CHANGED: &str = "rule_changed";
/// Alerts of a kind are told to nobody for a while.
pub const SILENCE_ADDED: &str = "silence_added";
/// They are told again before that.
pub const SILENCE_ENDED: &str = "silence_ended";
/// Somebody ordered something about an alert.
pub const RESPONSE_ORDERED: &str = "response_ordered";
/// Somebody ordered that a response is undone.
pub const RESPONSE_UNDONE: &str = "response_undone";
/// A response is in force or over, or was refused or has failed.
pub const RESPONSE_CARRIED_OUT: &str = "response_carried_out";
/// A door has refused a request because of a response, for the first time.
pub const RESPONSE_EFFECTIVE: &str = "response_effective";
/// A message about an alert will not arrive.
pub const NOTIFICATION_FAILED: &str = "notification_failed";
/// Somebody had a message tried again that had failed.
pub const NOTIFICATION_RETRIED: &str = "notification_retried";
/// Somebody had a message sent to see whether it arrives.
pub const NOTIFICATION_TESTED: &str = "notification_tested";
/// A source begins to number its events.
pub const BOOT: &str = "boot";
/// A source is alive; carries its last number and running hash.
pub const HEARTBEAT: &str = "heartbeat";
/// A source ends in order; nothing of it follows.
pub const BYE: &str = "bye";
/// Events that a spool held cannot be read, so that they are lost.
pub const SPOOL_DAMAGED: &str = "spool_damaged";
/// Requests were answered whose events could not be kept.
pub const EVENTS_SHED: &str = "events_shed";
/// Numbers of a source have been missing for longer than a delay explains.
pub const LOG_GAP: &str = "log_gap";
/// Numbers that were told as missing are all there.
pub const LOG_GAP_CLOSED: &str = "log_gap_closed";
/// A source says nothing any more and did not say that it ends.
pub const SOURCE_SILENT: &str = "source_silent";
/// A source that was told as silent speaks again.
pub const SOURCE_BACK: &str = "source_back";
/// What came from each source in a stretch of the log, and what is missing.
pub const COMPLETENESS_STATEMENT: &str = "completeness_statement";
/// A delivery that had been kept as a dead letter was judged again and stored as an event, or not.
pub const DEAD_LETTER_REPLAYED: &str = "dead_letter_replayed";
/// A dead letter was dropped.
pub const DEAD_LETTER_DROPPED: &str = "dead_letter_dropped";
