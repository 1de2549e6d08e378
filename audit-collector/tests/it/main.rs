#![cfg(test)]
//! The collector against real databases and a real broker.

#[macro_use]
mod harness;

mod access;
mod alerts;
mod append;
mod backtest;
mod bodies;
mod command;
mod completeness;
mod console;
mod dead_letters;
mod detection;
mod detection_measured;
mod enrichment;
mod export;
mod filter;
mod forwarding;
mod given_up;
mod heavy_names;
mod hostile;
mod hostile_deliveries;
mod import;
mod notifications;
mod notifications_by_mail;
mod openapi;
mod outage;
mod pseudonyms;
mod rabbit;
mod read;
mod response_ends;
mod response_leaders;
mod responses;
mod retention;
mod rollup;
mod rule_decisions;
mod run;
mod saved_search;
mod search;
mod sequencing;
mod statistics;
mod statistics_over_time;
mod tail;
mod timeline;
