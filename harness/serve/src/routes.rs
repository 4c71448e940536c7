//! Every address there is. What is not in this table is not found; no address is ever a path of the file system.

use crate::http::{Method, Refusal, Request, Response, Status};
use crate::site::Site;
use crate::{api, import, pages};

/// An address and what answers it.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    /// What it is, for the page of the API.
    pub(crate) about: &'static str,
    pub(crate) answer: fn(&Site, &Request) -> Result<Response, Refusal>,
}

const fn get(
    path: &'static str,
    about: &'static str,
    answer: fn(&Site, &Request) -> Result<Response, Refusal>,
) -> Route {
    Route { method: Method::Get, path, about, answer }
}

/// The table.
pub(crate) const ROUTES: &[Route] = &[
    get("/", "the runs, the latest first (before=RUN)", pages::runs),
    get("/run", "a run and its records, live while it goes on (id=RUN, before=NUMBER)", pages::run),
    get("/report", "the report of a run (run=RUN)", pages::report),
    get("/trends", "cells over all runs (q=WORDS, after=NUMBER)", pages::trends),
    get("/trend", "one cell over its runs, with change points (cell=NUMBER)", pages::trend),
    get(
        "/compare",
        "two sides held against each other (a=SIDE, b=SIDE, among=RUN)",
        pages::compare,
    ),
    get("/api", "this page", pages::api),
    get("/metrics", "a run as Prometheus text (run=RUN; the latest)", api::metrics),
    get("/api/runs", "the runs, the latest first (before=RUN, most=1..50)", api::runs),
    get("/api/run", "a run (id=RUN)", api::run),
    get(
        "/api/records",
        "a run's records, whole (run=RUN, after=NUMBER, most=1..100)",
        api::records,
    ),
    get("/api/record", "a record, whole (id=the beginning of its id)", api::record),
    get("/api/progress", "what a run gained (run=RUN, after=NUMBER)", api::progress),
    get("/api/cells", "cells over all runs (q=WORDS, after=NUMBER, most=1..50)", api::cells),
    get("/api/trend", "one cell over its runs (cell=NUMBER)", api::trend),
    get("/page.css", "the style", pages::style),
    get("/page.js", "the script", pages::script),
    Route {
        method: Method::Post,
        path: "/import",
        about: "stores an upload of records: JSON lines or a bundle as `yardstick export` writes them, all or nothing; needs the token",
        answer: import::import,
    },
];

impl Route {
    /// `GET /runs`.
    pub(crate) fn name(&self) -> (&'static str, &'static str) {
        (if self.method == Method::Post { "POST" } else { "GET" }, self.path)
    }
}

/// Method and path of every address.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(Route::name)
}

/// What answers a request.
pub(crate) fn find(request: &Request) -> Result<&'static Route, Refusal> {
    let mut known = ROUTES.iter().filter(|route| route.path == request.path).peekable();
    if known.peek().is_none() {
        return Err(Refusal::not_found("there is no such page"));
    }
    let method = if request.method == Method::Head { Method::Get } else { request.method };
    known.find(|route| route.method == method).ok_or_else(|| {
        Refusal::new(Status::MethodNotAllowed, "this page does not take that method")
    })
}
