//! libFuzzer's way into `checks/headers.rs`.
#![no_main]

#[path = "../checks/headers.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::headers(data));
