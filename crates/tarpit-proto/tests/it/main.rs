//! Behaviour in virtual time: transcripts for each pattern, and what holds for all of them.

#![expect(clippy::expect_used, reason = "a test that finds nothing has failed")]

mod account;
mod all_patterns;
mod auto;
mod contract;
mod corpus;
mod egsh_aminoas;
mod endless_banner;
mod endlessh;
mod ftp_endless_motd;
mod ftp_hold;
mod ftp_servers;
mod half_close;
mod http;
mod http2;
mod http_bad_site;
mod http_deflate_html_bomb;
mod http_deflate_size_bomb;
mod http_endless_header;
mod http_fake_auth;
mod http_hold;
mod http_rows;
mod http_servers;
mod lengths;
mod malformed;
mod redis;
mod secrets;
mod smtp_endless_ehlo;
mod smtp_hold;
mod smtp_servers;
mod ssh;
mod ssh_auth_hold;
mod ssh_client;
mod ssh_kex_hold;
mod ssh_lists;
mod ssh_old_clients;
mod ssh_packets;
mod ssh_trans_hold;
mod stage;
mod talks;
mod telnet_login;
mod tls;
mod tls_endless_hello_request;
mod tls_slow_hello;
