//! Flags of `serve`.

use std::net::IpAddr;

/// `yardstick serve`
#[derive(clap::Args)]
pub(crate) struct Serve {
    /// The port; 0 takes any that is free
    #[arg(long, short, value_name = "N", default_value_t = 8417)]
    pub(crate) port: u16,
    /// The address; any but this machine's own also needs --lan
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Let other machines in: every request then needs the token, and nothing is encrypted
    #[arg(long)]
    pub(crate) lan: bool,
    /// A further name that this machine is asked for by; repeatable
    #[arg(long, value_name = "HOST")]
    pub(crate) name: Vec<String>,
}
