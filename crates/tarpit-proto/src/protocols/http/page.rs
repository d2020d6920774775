//! Endless pages, part by part: lists of links that lead back to this server.

use alloc::{format, vec::Vec};

use crate::{
    base::rng::Rng,
    protocols::http::{request::Request, response::chunk},
    script::Cx,
};

/// Appends that part of a plain page, counted from 0, framed for the client.
pub(crate) fn page(part: u32, request: Request, cx: &mut Cx<'_>, out: &mut Vec<u8>) {
    chunk(request, cx, out, |cx, out| {
        if part == 0 {
            out.extend_from_slice(
                b"<!DOCTYPE html>\n<html><head><title>Archive</title></head><body>\n\
                  <h1>Archive</h1>\n<ul>\n",
            );
        }
        out.extend_from_slice(b"<li>");
        link(&mut cx.rng, out);
        out.extend_from_slice(b"</li>\n");
    });
}

/// Appends a link to a random page of the same site.
pub(crate) fn link(rng: &mut Rng, out: &mut Vec<u8>) {
    let (folder, name, number) = (rng.pick(&WORDS), rng.pick(&WORDS), rng.below(1 << 20));
    let (first, second) = (rng.pick(&WORDS), rng.pick(&WORDS));
    out.extend_from_slice(
        format!("<a href=\"/{folder}/{name}-{number:x}.html\">{first} {second}</a>").as_bytes(),
    );
}

/// What such pages are about.
const WORDS: [&str; 24] = [
    "account", "archive", "backup", "budget", "catalog", "contract", "customer", "delivery",
    "draft", "export", "history", "invoice", "meeting", "member", "notes", "order", "payment",
    "photo", "project", "report", "review", "sample", "summary", "travel",
];
