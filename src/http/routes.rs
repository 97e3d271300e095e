use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodFilter, MethodRouter, on},
};

use super::{
    accounts, audit, back_test, cameras, changes, events, gaps, guard, health, live, locks, media, metrics, openapi,
    plan, routes_followed, rules, search, serve, session, shapes, state::AppState, status, storage, timeline, tracks,
    verdicts, video, web,
};
pub use crate::domain::account::Action;
use crate::domain::rule::RuleKind;

/// Of which cameras a row speaks, and how that is kept within what somebody's right reaches. A row without one does not
/// compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of none.
    Any,
    /// Of all: the right must hold for all cameras.
    Site,
    /// Of the thing in its path; one of a camera out of reach is answered as one that is not there.
    Thing,
    /// Of those its `camera` names, and when it names none, of those within reach.
    Filter,
    /// The handler leaves out what is not within reach.
    Listed,
}

/// The methods used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; HEAD is answered beside it.
    Get,
    /// Adds.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// How a query parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// Whole numbers with commas between them.
    Ids,
    /// UTC microseconds or RFC 3339.
    Time,
    /// 1 or 0.
    Flag,
    /// Text.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// One query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What it does, one line.
    pub about: &'static str,
}

/// What comes back when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 with JSON of this type (`openapi` knows them).
    Json(&'static str),
    /// 201 with JSON of this type.
    Created(&'static str),
    /// 204.
    Nothing,
    /// 200 (or 206) with this media type.
    Bytes(&'static str),
    /// 101: a WebSocket.
    Socket,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path as axum writes it.
    pub path: &'static str,
    /// The right it needs.
    pub action: Action,
    /// Of which cameras it speaks.
    pub scope: Scope,
    /// What it is about.
    pub resource: &'static str,
    /// Who answers.
    pub handler: fn(MethodFilter) -> MethodRouter<AppState>,
    /// One line on what it does.
    pub summary: &'static str,
    /// The query parameters it takes; all others are refused.
    pub query: &'static [Param],
    /// Type of the body it takes.
    pub request: Option<&'static str>,
    /// What comes back.
    pub answer: Answer,
}

impl Route {
    /// Whether the row serves that path, whatever the method.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (mut mine, mut asked) = (self.path.split('/'), path.split('/'));
        loop {
            match (mine.next(), asked.next()) {
                (Some(m), Some(_)) if m.starts_with("{*") => return true,
                (Some(m), Some(a)) if m == a || (m.starts_with('{') && !a.is_empty()) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

const CAMERA: Param = Param { name: "camera", kind: Kind::Int, about: "Of this camera; required." };
const INCIDENT_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param { name: "limit", kind: Kind::Int, about: "Most incidents of the page, 1 to 50; 20 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const EVENT_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param { name: "kind", kind: Kind::OneOf(&RuleKind::EACH_NAME), about: "Of this kind of rule." },
    Param {
        name: "class",
        kind: Kind::OneOf(&["person", "bicycle", "motorcycle", "car", "bus", "truck"]),
        about: "Of this class.",
    },
    Param { name: "from", kind: Kind::Time, about: "That started at or after this." },
    Param { name: "to", kind: Kind::Time, about: "That started before this." },
    Param { name: "limit", kind: Kind::Int, about: "Most events of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const COLOURS: &[&str] =
    &["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black"];
const TRACK_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param {
        name: "class",
        kind: Kind::OneOf(&["person", "bicycle", "motorcycle", "car", "bus", "truck"]),
        about: "Of this class.",
    },
    Param { name: "colour", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour, anywhere." },
    Param { name: "upper", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour above the belt." },
    Param { name: "lower", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour below the belt." },
    Param { name: "body", kind: Kind::OneOf(COLOURS), about: "With bodywork mainly of this colour." },
    Param { name: "identity", kind: Kind::Int, about: "At least so sure to be one object all the way, percent." },
    Param { name: "from", kind: Kind::Time, about: "That started at or after this." },
    Param { name: "to", kind: Kind::Time, about: "That started before this." },
    Param { name: "limit", kind: Kind::Int, about: "Most tracks of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const SEARCH: &[Param] = &[
    Param { name: "q", kind: Kind::Text, about: "What a person typed; how it was understood is in the answer." },
    Param { name: "what", kind: Kind::OneOf(&["track", "event"]), about: "Only what passed, or only events." },
    Param {
        name: "colour",
        kind: Kind::OneOf(&["unknown"]),
        about: "`unknown`: instead of those of the colours asked for, those of which none is known (infrared, too small).",
    },
    Param { name: "limit", kind: Kind::Int, about: "Most results of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same question." },
];
const TALLY: &[Param] = &[
    OF_CAMERAS,
    SINCE,
    UP_TO,
    Param { name: "step", kind: Kind::OneOf(&["hour", "day"]), about: "How wide a step is; an hour when not given." },
];
const AUDIT: &[Param] = &[
    Param { name: "who", kind: Kind::Text, about: "Of this login." },
    Param { name: "action", kind: Kind::Text, about: "Of this right." },
    Param { name: "camera", kind: Kind::Int, about: "Of this camera." },
    SINCE,
    UP_TO,
    Param { name: "limit", kind: Kind::Int, about: "Most lines of the page, 1 to 500; 100 when not given." },
    Param { name: "before", kind: Kind::Int, about: "Older than this line: `next` of the page before." },
];
const CROP: Param = Param {
    name: "of",
    kind: Kind::OneOf(&["largest", "sharpest"]),
    about: "Of which sighting; the largest when not given.",
};
const BOXED: Param = Param { name: "boxed", kind: Kind::Flag, about: "1 (default) with the boxes drawn, 0 as seen." };
// Pages show a picture anew by asking at a new address; a parameter that does nothing else is still one of the table.
const TIME_SHOWN: Param =
    Param { name: "t", kind: Kind::Int, about: "Changes nothing: makes the address of a newer picture a new one." };
const REVISION_SHOWN: Param =
    Param { name: "r", kind: Kind::Int, about: "Changes nothing: makes the address of a newer picture a new one." };
const STREAM: Param = Param {
    name: "stream",
    kind: Kind::OneOf(&["main", "sub"]),
    about: "Which stream; when not given the main one, or the sub one where that cannot be played.",
};
const UNTIL: Param = Param {
    name: "until",
    kind: Kind::Time,
    about: "Where the clip ends, at most its event's `clip.end_us`: give it to read one and the same file piece by piece \
            while more is being recorded.",
};
const SINCE: Param =
    Param { name: "from", kind: Kind::Time, about: "From this time on; a day before the end when not given." };
const UP_TO: Param = Param {
    name: "to",
    kind: Kind::Time,
    about: "Up to this time; now (of what is to come: for ever) when not given.",
};
const OF_CAMERAS: Param = Param { name: "camera", kind: Kind::Ids, about: "Of these cameras." };
const SPAN: &[Param] = &[SINCE, UP_TO];
const CAMERAS_SPAN: &[Param] = &[OF_CAMERAS, SINCE, UP_TO];
const DOWNLOAD: Param = Param { name: "download", kind: Kind::Flag, about: "1 to keep it as a file." };

const FROM: Param = Param { name: "from", kind: Kind::Time, about: "Where it begins; required." };
const TO: Param = Param { name: "to", kind: Kind::Time, about: "Where it ends; required." };
const AT: Param = Param {
    name: "at",
    kind: Kind::Time,
    about: "Instead of the last picture that of the key frame at or before this in what was recorded.",
};
const LIGHT: Param = Param {
    name: "light",
    kind: Kind::OneOf(&["day", "dusk", "infrared"]),
    about: "By which light; day when not given.",
};
const STEP: Param = Param {
    name: "step",
    kind: Kind::Int,
    about: "Microseconds; spans closer to each other become one. 0 when not given.",
};
const LIVE_STREAM: Param =
    Param { name: "stream", kind: Kind::OneOf(&["main", "sub"]), about: "Which stream; sub when not given." };

macro_rules! table {
    ($($method:ident $path:literal, $action:ident $scope:ident $resource:literal, $handler:path, $summary:literal,
       $query:expr, $request:expr, $answer:ident $(($of:literal))?;)+) => {
        /// Every route, one row each.
        pub static TABLE: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            action: Action::$action,
            scope: Scope::$scope,
            resource: $resource,
            handler: |filter| on(filter, $handler),
            summary: $summary,
            query: $query,
            request: $request,
            answer: Answer::$answer $(($of))?,
        },)+];
    };
}

table! {
    // method path, action scope resource, handler, summary, query, request, answer
    Get "/api/v1/cameras", State Listed "camera", cameras::list,
        "All cameras that take part, by code.", &[], None, Json("CameraList");
    Post "/api/v1/cameras", Configure Site "camera", cameras::add,
        "Adds a camera.", &[], Some("CameraDraft"), Created("Camera");
    Get "/api/v1/cameras/{id}", State Thing "camera", cameras::one,
        "One camera, also a retired one.", &[], None, Json("Camera");
    Put "/api/v1/cameras/{id}", Configure Site "camera", cameras::change,
        "Changes a camera; without a password the old one stays.", &[], Some("CameraDraft"), Json("Camera");
    Delete "/api/v1/cameras/{id}", Configure Site "camera", cameras::retire,
        "Retires a camera; what it recorded stays.", &[], None, Nothing;
    Get "/api/v1/cameras/{id}/picture.jpg", Live Thing "camera", media::picture,
        "The last picture, or one of what was recorded; its time is in X-Picture-Time-Us.", &[TIME_SHOWN, AT, STREAM], None, Bytes("image/jpeg");
    Get "/api/v1/cameras/{id}/live", Live Thing "camera", live::stream,
        "What it shows now: a message {mime, start_us}, then init and fragments of an MP4.", &[LIVE_STREAM], None, Socket;
    Get "/api/v1/cameras/{id}/video.mp4", Playback Thing "camera", video::film,
        "The recording of a span of at most 24 h, any byte range of it; an end that is still to come is fixed by a redirect.",
        &[FROM, TO, STREAM, DOWNLOAD], None, Bytes("video/mp4");
    Get "/api/v1/cameras/{id}/video.json", Playback Thing "camera", video::describe,
        "What that film is made of.", &[FROM, TO, STREAM], None, Json("Video");
    Get "/api/v1/cameras/{id}/health", State Thing "camera", health::show,
        "Whether its picture can be used: what is said now and was said in a span, and how it usually looks.", SPAN, None, Json("CameraHealth");
    Get "/api/v1/cameras/{id}/reference.jpg", Live Thing "camera", health::reference,
        "How it usually looks by a light, in grey.", &[LIGHT, TIME_SHOWN], None, Bytes("image/jpeg");
    Post "/api/v1/cameras/{id}/health/accept", Configure Site "camera", health::accept,
        "How it looks now is right: what was learned before is forgotten.", &[], Some("ViewAccepted"), Nothing;
    Get "/api/v1/cameras/{id}/timeline", Playback Thing "camera", timeline::show,
        "What of a span of at most a week was recorded, what moved, what is missing and why.",
        &[FROM, TO, STEP, STREAM], None, Json("Timeline");
    Get "/api/v1/cameras/{id}/gaps", Uptime Thing "camera", gaps::of_camera,
        "What is missing of each stream and why; recorded, gaps and removed add up to the window answered.",
        SPAN, None, Json("GapReport");
    Get "/api/v1/gaps", Uptime Filter "camera", gaps::of_all,
        "The same of several cameras, or of all that take part.", CAMERAS_SPAN, None, Json("GapReports");
    Get "/api/v1/locks", Lock Listed "lock", locks::list,
        "The locks that hold, newest first.", &[], None, Json("LockList");
    Post "/api/v1/locks", Lock Listed "lock", locks::add,
        "Keeps a span of some cameras from being removed.", &[], Some("LockDraft"), Created("Made");
    Delete "/api/v1/locks/{id}", Lock Thing "lock", locks::remove,
        "Releases a lock.", &[], None, Nothing;
    Get "/api/v1/planned", State Listed "planned", locks::list_planned,
        "Outages declared beforehand.", SPAN, None, Json("PlannedList");
    Post "/api/v1/planned", Configure Site "planned", locks::add_planned,
        "Declares an outage of some cameras, or of the site; it excuses only what comes after.",
        &[], Some("PlannedDraft"), Created("Made");
    Delete "/api/v1/planned/{id}", Configure Site "planned", locks::remove_planned,
        "Calls a declared outage off.", &[], None, Nothing;
    Get "/api/v1/clusters", State Listed "cluster", cameras::clusters,
        "All clusters, by name.", &[], None, Json("ClusterList");
    Get "/api/v1/shapes", State Filter "shape", shapes::list,
        "The shapes drawn on a camera's picture.", &[CAMERA], None, Json("ShapeList");
    Post "/api/v1/shapes", Configure Site "shape", shapes::add,
        "Adds a shape.", &[], Some("ShapeDraft"), Created("Shape");
    Put "/api/v1/shapes/{id}", Configure Site "shape", shapes::change,
        "Changes a shape.", &[], Some("ShapeDraft"), Json("Shape");
    Delete "/api/v1/shapes/{id}", Configure Site "shape", shapes::remove,
        "Removes a shape.", &[], None, Nothing;
    Get "/api/v1/rules", State Listed "rule", rules::list,
        "The rules in force, in their newest version.", &[], None, Json("RuleList");
    Get "/api/v1/models/extra", State Site "rule", rules::extra_models,
        "The extra models that rules of the kind attribute can ask, and why one is not used.", &[], None, Json("ExtraModels");
    Post "/api/v1/rules", Configure Site "rule", rules::add,
        "Adds a rule.", &[], Some("RuleDraft"), Created("Rule");
    Put "/api/v1/rules/{id}", Configure Site "rule", rules::change,
        "Changes a rule: a new version.", &[], Some("RuleDraft"), Json("Rule");
    Delete "/api/v1/rules/{id}", Configure Site "rule", rules::remove,
        "Removes a rule; its events stay.", &[], None, Nothing;
    Get "/api/v1/events", Search Filter "event", events::list,
        "Events, newest first, a page at a time.", EVENT_FILTERS, None, Json("EventPage");
    Get "/api/v1/events/{id}", Search Thing "event", events::one,
        "One event.", &[], None, Json("Event");
    Put "/api/v1/events/{id}/verdict", Judge Thing "event", verdicts::say,
        "An officer's word on an event; null takes it back.", &[], Some("VerdictDraft"), Json("Event");
    Get "/api/v1/incidents", Search Filter "incident", verdicts::incidents,
        "Events that follow each other closely on a camera, as one; newest first.", INCIDENT_FILTERS, None, Json("IncidentPage");
    Post "/api/v1/rules/try", Configure Site "rule", back_test::try_rule,
        "What a rule would have said of a camera's days, by the tracks kept; nothing is changed.", SPAN, Some("RuleDraft"), Json("BackTest");
    Get "/api/v1/rules/{id}/verdicts", Search Site "rule", verdicts::of_rule,
        "How often a rule was right by camera, and what a change would have spared.", &[], None, Json("RuleVerdicts");
    Get "/api/v1/rules/{id}/counts", Uptime Site "rule", verdicts::counts,
        "What went over a rule's line in a span of at most 31 days, by quarter of an hour.", SPAN, None, Json("LineCounts");
    Get "/api/v1/events/{id}/snapshot.jpg", Search Thing "event", media::event_picture,
        "The picture of an event.", &[BOXED, REVISION_SHOWN], None, Bytes("image/jpeg");
    Get "/api/v1/events/{id}/clip.mp4", Playback Thing "event", media::clip,
        "The recording around an event, any byte range of it; where it begins is in X-Clip-Start-Us.", &[STREAM, UNTIL, DOWNLOAD], None, Bytes("video/mp4");
    Get "/api/v1/tracks", Search Filter "track", tracks::list,
        "Tracks: objects that passed, newest first, a page at a time.", TRACK_FILTERS, None, Json("TrackPage");
    Get "/api/v1/tracks/{id}", Search Thing "track", tracks::one,
        "One track.", &[], None, Json("Track");
    Get "/api/v1/tracks/{id}/path", Search Thing "track", tracks::way,
        "Where it was; straight between the points, `error` away at most (0..=1 of the picture).", &[], None, Json("TrackPath");
    Get "/api/v1/tracks/{id}/picture.jpg", Search Thing "track", tracks::picture,
        "A picture of a track.", &[CROP, TIME_SHOWN], None, Bytes("image/jpeg");
    Get "/api/v1/search", Search Listed "search", search::find,
        "What passed and what rules said, by a typed line; the newest first, a page at a time.", SEARCH, None, Json("SearchPage");
    Get "/api/v1/search/tally", Uptime Filter "search", search::tally,
        "How many passed by class and how many events by kind, by the hour or the day.", TALLY, None, Json("SearchTally");
    Get "/api/v1/plan", State Listed "plan", plan::show,
        "Where cameras stand, and the ways between them with their times.", &[], None, Json("Plan");
    Put "/api/v1/plan", Configure Site "plan", plan::change,
        "Draws the plan anew; what was learned of ways that stay is kept.", &[], Some("PlanDraft"), Json("Plan");
    Get "/api/v1/routes", Follow Site "route", routes_followed::list,
        "The routes that were followed, newest first.", &[], None, Json("RouteList");
    Post "/api/v1/routes", Follow Site "route", routes_followed::begin,
        "Begins to follow what was seen; of a person only in a named case and with a reason.", &[], Some("RouteDraft"), Created("Route");
    Get "/api/v1/routes/{id}", Follow Site "route", routes_followed::one,
        "A route: its sightings, and those that may be the next, the likeliest first.", &[], None, Json("Route");
    Delete "/api/v1/routes/{id}", Follow Site "route", routes_followed::remove,
        "Removes a route.", &[], None, Nothing;
    Post "/api/v1/routes/{id}/steps", Follow Site "route", routes_followed::say,
        "A person says that a sighting is the one followed, or is not.", &[], Some("RouteStepDraft"), Json("Route");
    Get "/api/v1/changes", State Listed "change", changes::stream,
        "What changes, as it changes (server-sent events).", &[], None, Bytes("text/event-stream");
    Get "/api/v1/status", State Listed "status", status::show,
        "Version, time, analysis, alarms and counters.", &[], None, Json("Status");
    Get "/metrics", State Site "metrics", metrics::show,
        "Everything counted, for Prometheus.", &[], None, Bytes("text/plain; version=0.0.4");
    Post "/api/v1/alarms/{id}/seen", Configure Site "alarm", status::alarm_seen,
        "A person has seen an alarm that waits for that.", &[], Some("AlarmSeen"), Nothing;
    Get "/api/v1/storage", State Site "storage", storage::show,
        "How long recordings are kept, what they take, what fits, and a removal that waits for a word.", &[], None, Json("Storage");
    Put "/api/v1/storage", Configure Site "storage", storage::change,
        "Changes for how long recordings are kept; all settings at once.", &[], Some("StorageSettings"), Json("StorageSettings");
    Post "/api/v1/storage/confirm", Configure Site "storage", storage::confirm,
        "Lets the removal that waits go on.", &[], Some("StorageConfirm"), Nothing;
    Get "/api/v1/session", Signed Any "session", session::me,
        "Who is signed in and may do what, and the token that every change carries in X-Vonglau-Token.", &[], None, Json("Me");
    Post "/api/v1/session", Public Any "session", session::sign_in,
        "Signs in; the session is a cookie.", &[], Some("SignIn"), Json("Me");
    Delete "/api/v1/session", Signed Any "session", session::sign_out,
        "Signs out.", &[], None, Nothing;
    Put "/api/v1/session/seen", Signed Any "session", session::seen,
        "Its person is there; without it a session ends after a quarter of an hour.", &[], Some("Here"), Nothing;
    Put "/api/v1/session/purpose", Signed Any "session", session::set_purpose,
        "Says why one looks; playback, export, following and the search for people ask for it, and the log keeps it.", &[], Some("PurposeDraft"), Nothing;
    Put "/api/v1/session/password", Signed Any "session", session::change_password,
        "One's own password; all other sessions of the account end.", &[], Some("PasswordChange"), Nothing;
    Post "/api/v1/setup", Public Any "session", session::set_up,
        "Makes the first account, by the link printed on the console; after that never again.", &[], Some("SetUp"), Json("Me");
    Get "/api/v1/accounts", Users Site "account", accounts::list,
        "All accounts, by login.", &[], None, Json("AccountList");
    Post "/api/v1/accounts", Users Site "account", accounts::add,
        "Adds an account.", &[], Some("AccountDraft"), Created("Account");
    Put "/api/v1/accounts/{id}", Users Site "account", accounts::change,
        "Changes an account; without a password the old one stays. What it may do changes at once.", &[], Some("AccountDraft"), Json("Account");
    Get "/api/v1/audit", Audit Site "audit", audit::list,
        "Who looked at what, and why; newest first, a page at a time.", AUDIT, None, Json("AuditPage");
    Get "/health", Public Any "health", status::alive,
        "That the program answers; says nothing of the site.", &[], None, Bytes("text/plain");
    Get "/api/v1/openapi.json", Signed Any "openapi", openapi::show,
        "This description.", &[], None, Json("OpenApi");
    Get "/", Public Any "page", web::page,
        "The web app.", &[], None, Bytes("text/html");
    Get "/{*path}", Public Any "page", web::page,
        "A file of the web app, or the web app itself.", &[], None, Bytes("text/html");
}

/// Everything this program serves.
pub fn router(state: AppState) -> Router {
    router_of(TABLE, state)
}

/// A router over other rows; [`router`] for everybody but tests.
pub fn router_of(rows: &'static [Route], state: AppState) -> Router {
    let mut router = Router::new();
    for row in rows {
        let gate = from_fn_with_state((row, state.clone()), guard::gate);
        router = router.route(row.path, (row.handler)(row.method.filter()).route_layer(gate));
    }
    router
        .method_not_allowed_fallback(guard::wrong_method)
        .fallback(guard::no_such_path)
        .layer(from_fn(guard::keep_out))
        .layer(serve::catch_panics(state.counters.clone()))
        .layer(from_fn(guard::harden))
        .with_state(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_the_site_needs_the_right_to_configure_and_no_read_does() {
        use Action::{Follow, Judge, Lock, Public, Signed, Users};
        let others = |action| matches!(action, Follow | Judge | Lock | Public | Signed | Users);
        // A question that is too long for an address is posted, and changes nothing.
        for row in TABLE.iter().filter(|row| !others(row.action)) {
            assert_eq!(
                row.method != Method::Get,
                row.action == Action::Configure,
                "{} {}",
                row.method.name(),
                row.path
            );
        }
    }

    #[test]
    fn a_row_matches_the_paths_it_serves_and_no_others() {
        let row = |path| TABLE.iter().find(|r| r.path == path).unwrap();
        let one = row("/api/v1/cameras/{id}");
        assert!(one.matches("/api/v1/cameras/7"));
        for other in ["/api/v1/cameras", "/api/v1/cameras/", "/api/v1/cameras/7/x", "/api/v1/rules/7"] {
            assert!(!one.matches(other), "{other}");
        }
        assert!(row("/{*path}").matches("/a/b/c") && row("/").matches("/"));
    }
}
