//! SSH (RFC 4251 to 4256).

mod agreement;
pub(crate) mod auth_hold;
pub(crate) mod endlessh;
pub(crate) mod kex_hold;
pub(crate) mod lane;
pub(crate) mod trans_hold;

use alloc::vec::Vec;

use crate::{
    script::{Chunk, Cx, Manner, Step},
    wire::ssh,
};

/// Makes the persona's offer, whole and at once, with a new cookie; nothing will come of it.
fn offer(cx: &mut Cx<'_>) -> Step {
    let mut cookie = [0; 16];
    cx.entropy.fill(&mut cookie);
    let mut out = Vec::new();
    ssh::offer(cookie, cx.profile.persona.ssh_offer(), &mut out);
    Step::send(Manner::Prompt, Chunk::Boxed(out.into()))
}
