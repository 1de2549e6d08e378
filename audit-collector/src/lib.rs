//! audit-collector.
