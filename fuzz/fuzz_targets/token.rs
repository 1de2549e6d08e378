//! libFuzzer's way into `checks/token.rs`.
#![no_main]

#[path = "../checks/token.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::token(data));
