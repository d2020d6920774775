//! System calls: time, sockets, rights. The only place with unsafe code or a clock.

pub(crate) mod admin_socket;
pub(crate) mod clock;
pub(crate) mod entropy;
pub(crate) mod fd_stream;
pub(crate) mod listen_socket;
pub(crate) mod login;
pub(crate) mod notify_socket;
pub(crate) mod passed_sockets;
pub(crate) mod port_owner;
pub(crate) mod privileges;
pub(crate) mod runtime_directory;
pub(crate) mod sandbox;
pub(crate) mod sys;
pub(crate) mod terminal;
pub(crate) mod timer;
pub(crate) mod user_state;
