//! Pages of errors and redirects. Apache's and nginx's are word for word those of the versions that
//! tarpitd names: other pages would reveal the tarpit.

use alloc::{format, string::String};

use crate::{
    protocols::http::{
        head::moved_to,
        host::{Asked, Name},
        reply::{Reply, method_name},
        server::Server,
    },
    script::Cx,
};

/// The page of an answer; empty where the answer has none.
pub(crate) fn error_page(reply: Reply, asked: Asked<'_>, cx: &Cx<'_>) -> String {
    match reply {
        Reply::Options { .. } | Reply::Page { .. } | Reply::ServerOptions => return String::new(),
        Reply::Welcome => return String::from("<html><body></body></html>\n"),
        _ => {}
    }
    let server = Server::of(&cx.profile.persona);
    match server {
        Server::Apache => apache(reply, asked, cx),
        Server::Boa => boa(reply),
        Server::Iis => iis(reply, asked, cx),
        Server::Nginx => nginx(reply, cx),
    }
}

fn apache(reply: Reply, asked: Asked<'_>, cx: &Cx<'_>) -> String {
    let status = reply.status(Server::Apache);
    let reason = &status[4..];
    let server = Server::name(&cx.profile.persona);
    let (words, signature) = (apache_words(reply, asked, cx), Name::of(asked, cx).signature());
    format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
         <title>{status}</title>\n</head><body>\n<h1>{reason}</h1>\n<p>{words}</p>\n<hr>\n\
         <address>{server} Server at {signature}</address>\n</body></html>\n"
    )
}

fn apache_words(reply: Reply, asked: Asked<'_>, cx: &Cx<'_>) -> String {
    const BAD: &str = "Your browser sent a request that this server could not understand.<br />\n";
    String::from(match reply {
        Reply::FieldTooLong => {
            return format!("{BAD}Size of a request header field exceeds server limit.");
        }
        Reply::TooManyFields => {
            return format!(
                "{BAD}The number of request header fields exceeds this server's limit."
            );
        }
        Reply::NotAllowed { method } => {
            let Some(method) = method_name(method) else { return String::from(BAD) };
            return format!("The requested method {method} is not allowed for this URL.");
        }
        Reply::NotImplemented { method } => {
            let Some(method) = method_name(method) else { return String::from(BAD) };
            return format!("{method} not supported for current URL.<br />\n");
        }
        Reply::Moved { folder } => {
            let url = moved_to(folder, asked, cx);
            return format!("The document has moved <a href=\"{url}\">here</a>.");
        }
        Reply::Expectation => {
            "The expectation given in the Expect request-header\nfield could not be met by \
             this server.\n</p><p>Only the 100-continue expectation is supported."
        }
        Reply::Forbidden => "You don't have permission to access this resource.",
        Reply::Missing => "The requested URL was not found on this server.",
        Reply::Refused => {
            "This server could not verify that you\nare authorized to access the document\n\
             requested.  Either you supplied the wrong\ncredentials (e.g., bad password), \
             or your\nbrowser doesn't understand how to supply\nthe credentials required."
        }
        Reply::TargetTooLong => {
            "The requested URL's length exceeds the capacity\nlimit for this server.<br />\n"
        }
        Reply::Trace => "The requested method TRACE is not allowed for this URL.",
        Reply::Tunnel => "The requested method CONNECT is not allowed for this URL.",
        _ => BAD,
    })
}

fn boa(reply: Reply) -> String {
    let status = reply.status(Server::Boa);
    let words = match reply {
        Reply::Forbidden => "Your client may not see that.",
        Reply::Missing => "There is no such page on this device.",
        Reply::Moved { .. } => "The page is in another place.",
        Reply::Refused => "A user name and a password are required.",
        Reply::NotImplemented { .. } => "This device does not know that method.",
        _ => "This device does not understand your client.",
    };
    format!(
        "<HTML><HEAD><TITLE>{status}</TITLE></HEAD>\n<BODY><H1>{status}</H1>\n{words}\n\
         </BODY></HTML>\n"
    )
}

fn iis(reply: Reply, asked: Asked<'_>, cx: &Cx<'_>) -> String {
    String::from(match reply {
        Reply::Forbidden | Reply::Refused => {
            "You do not have permission to view this directory or page."
        }
        Reply::Missing => {
            "The resource you are looking for has been removed, had its name changed, or is \
             temporarily unavailable."
        }
        Reply::Moved { folder } => {
            let url = moved_to(folder, asked, cx);
            return format!(
                "<head><title>Document Moved</title></head>\n<body><h1>Object Moved</h1>This \
                 document may be found <a HREF=\"{url}\">here</a></body>"
            );
        }
        Reply::NotAllowed { .. } | Reply::NotImplemented { .. } | Reply::Trace | Reply::Tunnel => {
            "The page you are looking for cannot be displayed because an invalid method (HTTP \
             verb) is being used."
        }
        _ => {
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\
             \"http://www.w3.org/TR/html4/strict.dtd\">\r\n\
             <HTML><HEAD><TITLE>Bad Request</TITLE>\r\n\
             <META HTTP-EQUIV=\"Content-Type\" Content=\"text/html; charset=us-ascii\"></HEAD>\r\n\
             <BODY><h2>Bad Request - Invalid URL</h2>\r\n\
             <hr><p>HTTP Error 400. The request URL is invalid.</p>\r\n</BODY></HTML>\r\n"
        }
    })
}

fn nginx(reply: Reply, cx: &Cx<'_>) -> String {
    let status = reply.status(Server::Nginx);
    let server = Server::name(&cx.profile.persona);
    let (title, more) = match reply {
        Reply::FieldTooLong => (
            "400 Request Header Or Cookie Too Large",
            "<center>Request Header Or Cookie Too Large</center>\r\n",
        ),
        Reply::Refused => ("401 Authorization Required", ""),
        _ => (status, ""),
    };
    let heading = if reply == Reply::Refused { title } else { status };
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{heading}</h1></center>\r\n{more}<hr><center>{server}</center>\r\n\
         </body>\r\n</html>\r\n"
    )
}
