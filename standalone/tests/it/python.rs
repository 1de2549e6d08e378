//! The client for Python, as a service beside the three services.

use std::path::Path;
use std::process::Command;

use crate::pipeline::ALONE;
use crate::system::System;

#[test]
fn a_python_service_lets_in_our_tokens_and_its_reports_are_found() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let root = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let machine = system.add_machine(&root, &["audit:write", "orders:read"]);
    let token = system.machine_token(&machine, "orders");
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python");

    let output = Command::new(&system.servers.python)
        .args(["-m", "pytest", "-q", "tests/system"])
        .current_dir(client)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GATELOG_TEST_URL", system.url())
        .env("GATELOG_TEST_ADMIN_TOKEN", &root)
        .env("GATELOG_TEST_TOKEN", &token)
        .env("ORDERS_CLIENT_ID", &machine.0)
        .env("ORDERS_CLIENT_SECRET", &machine.1)
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("5 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
