//! Endless pages, part by part: lists of links that lead back to this server.

use alloc::vec::Vec;

use crate::{
    protocols::http::{request::Request, response::chunk, site::Site},
    script::Cx,
};

/// Appends that part of a plain page, counted from 0, framed for the client.
pub(crate) fn page(part: u32, request: Request, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    chunk(request, cx, out, |cx, out| {
        let site = Site::of(&cx.profile.persona);
        if part == 0 {
            out.append(&mut site.opening());
        }
        site.write_item(cx.rng.number(), out);
    });
}

/// Appends a link to a random page of the same site.
pub(crate) fn link(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    Site::of(&cx.profile.persona).link(cx.rng.number(), out);
}
