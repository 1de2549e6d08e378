//! libFuzzer's way into `checks/policy.rs`.
#![no_main]

#[path = "../checks/policy.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::policy(data));
