//! All three services in one process.
