//! api-service.
