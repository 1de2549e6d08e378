//! libFuzzer's way into `checks/event.rs`.
#![no_main]

#[path = "../checks/event.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::event(data));
