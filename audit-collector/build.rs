//! Migrations and the console are compiled in, so that a new file must cause a build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=console");
}
