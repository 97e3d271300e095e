-- Schema 1. SQLite and PostgreSQL have the same tables, columns and indexes (tests/schema_parity.rs).
-- Ids and times are 64-bit integers, times are UTC microseconds; words are text with a check; the database itself
-- fills in nothing: no default, no now(), no trigger, so that every row is what the program wrote.

-- Whose database this is.
create table site (
    id bigint not null primary key check (id = 1), -- one row only: a database belongs to one site
    uuid text not null, -- outside the site a thing is named (site uuid, id), so that communes never collide
    last_change bigint not null -- newest change_log id; taking it locks the row, so changes stand in one order
);

-- A named group of cameras (cụm), made when a camera first names it.
create table cluster (
    id bigint not null generated always as identity primary key, -- cameras refer to it, so a cluster can be renamed
    name text not null, -- as typed
    name_fold text not null -- lower case, single blanks: "Chợ" and "chợ " are one cluster
);
create unique index cluster_name on cluster (name_fold);

-- A camera; its row is never deleted, because recordings and events refer to it for ever.
create table camera (
    id bigint not null generated always as identity primary key, -- never reused, since rows stay
    code text not null, -- short code on papers and signs, such as C07
    code_fold text not null, -- unique also after retirement: an old paper must not point to another camera
    name text not null, -- what people call it
    name_fold text not null, -- unique among cameras in use: two with one name cannot be told apart by ear
    cluster bigint references cluster (id), -- null: in no cluster
    hamlet text not null, -- thôn; empty when not told
    owner text not null, -- whose camera it is (commune, school, household); empty when not told
    link text not null, -- how it is connected (fibre, 4G, radio); empty when not told
    enabled_us bigint not null, -- since when it takes part; uptime counts from here
    retired_us bigint -- since when it no longer does; null while in use
);
create unique index camera_code on camera (code_fold);
create unique index camera_name on camera (name_fold) where retired_us is null;

-- Where a camera's picture is fetched.
create table stream (
    id bigint not null generated always as identity primary key, -- segments and gaps refer to it
    camera bigint not null references camera (id), -- whose
    kind text not null check (kind in ('main', 'sub')), -- main is for people, sub is analysed
    url text not null, -- rtsp address without login
    username text not null, -- empty when no login is needed
    password text not null, -- the camera wants it in clear (Digest needs the password itself); the file is mode 0600
    retired_us bigint -- the camera no longer has this stream, but segments still refer to it; null while in use
);
create unique index stream_camera_kind on stream (camera, kind);

-- Something drawn on a camera's picture.
create table shape (
    id bigint not null generated always as identity primary key, -- change_log refers to it, so the row stays when the shape is removed
    camera bigint not null references camera (id), -- whose picture
    kind text not null check (kind in ('zone', 'line', 'privacy_mask', 'motion_mask', 'lane')), -- what it is for
    name text not null, -- what people call it
    points text not null, -- JSON [[x, y], …], 0..=1 of the picture, so that a change of resolution moves nothing
    removed_us bigint -- null while in force
);
create index shape_camera on shape (camera);

-- A rule; what it says stands in its versions.
create table rule (
    id bigint not null generated always as identity primary key, -- events refer to it, so the row stays when the rule is removed
    version bigint not null, -- the newest version, the one in force
    removed_us bigint -- null while in force
);

-- What a rule said at a time; never changed, so that an event can be explained years later.
create table rule_version (
    rule bigint not null references rule (id), -- which rule
    version bigint not null, -- 1, 2, 3, …
    camera bigint references camera (id), -- the camera it watches; null: every camera
    name text not null, -- what people called it then
    kind text not null check (kind in ('motion', 'intrusion')), -- what it looked for
    definition text not null, -- JSON as typed in RULES.toml, every default written out
    since_us bigint not null, -- when it came into force
    primary key (rule, version)
);

-- One media file on disk.
create table segment (
    id bigint not null generated always as identity primary key, -- rows go with their files, and an id must not come back
    stream bigint not null references stream (id), -- whose picture
    path text not null, -- under the store folder, with '/'
    start_us bigint not null, -- first sample
    end_us bigint not null, -- end of the last whole fragment on disk
    open boolean not null, -- still being written; true after a crash means: look at the file
    init_bytes bigint not null, -- what stands before the first fragment
    size_bytes bigint not null, -- of the file so far; retention adds these up
    codec text not null check (codec in ('h264', 'h265')), -- whether a browser can play it
    rfc6381 text not null, -- codec string for the browser
    width bigint not null, -- pixels
    height bigint not null, -- pixels
    params_sha256 text not null, -- of the sample entry: segments with the same one can be joined
    fragments bytea not null -- packed table of fragments (src/store/packed.rs); one row a fragment would be 70 times the rows
);
create unique index segment_path on segment (path);
create index segment_stream_start on segment (stream, start_us);
create index segment_open on segment (id) where open;

-- The sum over all segments, kept in step by the same transactions: adding up millions of rows takes seconds.
create table segment_total (
    id bigint not null primary key check (id = 1), -- one row only
    segments bigint not null, -- how many
    bytes bigint not null -- their size_bytes together
);

-- A span without recording, and why: the answer to "where is the picture?".
create table gap (
    id bigint not null generated always as identity primary key, -- gaps go with the recordings around them
    stream bigint not null references stream (id), -- whose picture is missing
    start_us bigint not null, -- first microsecond missing
    end_us bigint not null, -- first microsecond there again
    cause text not null check (
        cause in ('power', 'network', 'camera', 'login', 'disk', 'overload', 'service', 'planned', 'unknown')
    ), -- who has to act
    evidence text not null -- what says so, for a person
);
create index gap_stream_start on gap (stream, start_us, end_us);

-- A span that retention must not remove.
create table lock (
    id bigint not null generated always as identity primary key, -- shown on papers
    camera bigint not null references camera (id), -- both its streams are kept
    start_us bigint not null, -- first microsecond kept
    end_us bigint not null, -- first microsecond not kept
    reason text not null, -- the case or request
    actor text not null, -- who locked it
    made_us bigint not null, -- when
    released_us bigint -- null while it holds
);
create index lock_camera_start on lock (camera, start_us, end_us);

-- The last sign of life of each boot: a box without power cannot say when it lost it.
create table heartbeat (
    boot_id text not null primary key, -- one row a boot keeps the table small
    boot_us bigint not null, -- boot clock at the last beat
    utc_us bigint not null, -- UTC at the last beat
    beat bigint not null -- grows over all boots: the newest beat is found though the wall clock stepped back
);

-- Where the boot clock and UTC met: media times can be corrected later when the clock was wrong.
create table clock_anchor (
    id bigint not null generated always as identity primary key, -- order of taking
    boot_id text not null, -- boot times of different boots do not compare
    boot_us bigint not null, -- boot clock
    utc_us bigint not null, -- UTC at that moment
    error_us bigint not null -- how long the reading took
);

-- An object followed over time.
create table track (
    id bigint not null generated always as identity primary key, -- rows go by age
    camera bigint not null references camera (id), -- whose picture
    number bigint not null, -- the tracker's number, the same as in event.track
    class text not null check (class in ('person', 'bicycle', 'motorcycle', 'car', 'bus', 'truck')), -- what
    score double precision not null, -- of the sighting kept, 0..=1
    box text not null, -- JSON [left, top, right, bottom] of that sighting, 0..=1
    start_us bigint not null, -- first sighting
    end_us bigint not null, -- last sighting
    points bigint not null -- sightings
);
create index track_camera_start on track (camera, start_us);

-- What a rule said matters.
create table event (
    id bigint not null generated always as identity primary key, -- shown and linked: must not come back for another event
    camera bigint not null references camera (id), -- whose picture
    rule bigint not null, -- which rule …
    rule_version bigint not null, -- … as it was then
    rule_name text not null, -- as it was called then, for lists
    kind text not null check (kind in ('motion', 'intrusion')), -- the rule's kind, for filters
    class text check (class in ('person', 'bicycle', 'motorcycle', 'car', 'bus', 'truck')), -- null: not about objects
    track bigint, -- the object followed; null: none
    start_us bigint not null, -- when it began
    end_us bigint not null, -- when it ended; of an open event the last time it held
    open boolean not null, -- still going on
    revision bigint not null, -- grows with each update, so that a late one cannot undo a newer one
    score double precision not null, -- best so far, 0..=1
    box text not null, -- JSON [left, top, right, bottom] at the best score
    path text not null, -- JSON [{"time_us", "box"}, …]
    model_sha256 text, -- which model saw it; null: none did
    numbers text not null, -- JSON object: the numbers that made it fire
    incident_id bigint, -- the incident it was merged into; null: none yet
    verdict text check (verdict in ('true', 'false', 'duplicate', 'unsure')), -- an officer's word; null: none yet
    foreign key (rule, rule_version) references rule_version (rule, version)
);
create index event_start on event (start_us, id);
create index event_camera_start on event (camera, start_us, id);
create index event_kind_start on event (kind, start_us, id);
create index event_class_start on event (class, start_us, id);
create index event_open on event (id) where open;

-- Who changed what: a row for every change of cameras, shapes and rules, in the change's own transaction.
create table change_log (
    id bigint not null primary key, -- from site.last_change: without holes and in the order of commits
    time_us bigint not null, -- when
    actor text not null, -- who
    what text not null, -- such as camera.add
    object bigint not null, -- id of the thing changed
    before_json text, -- without passwords; null: it was not there
    after_json text -- without passwords; null: it is gone
);
