//! Endless pages, part by part: lists of links that lead back to this server.

use alloc::{format, vec::Vec};

use crate::{
    protocols::http::{request::Request, response::chunk, site::Site},
    script::Cx,
};

/// Appends that part of a plain page, counted from 0, framed for the client.
pub(crate) fn page(part: u32, request: Request, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    chunk(request, cx, out, |cx, out| {
        if part == 0 {
            let title = Site::of(&cx.profile.persona).title();
            let opening = format!(
                "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>\n\
                 <h1>{title}</h1>\n<ul>\n"
            );
            out.extend_from_slice(opening.as_bytes());
        }
        out.extend_from_slice(b"<li>");
        link(cx, out);
        out.extend_from_slice(b"</li>\n");
    });
}

/// Appends a link to a random page of the same site.
pub(crate) fn link(cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    Site::of(&cx.profile.persona).link(cx.rng.number(), out);
}
