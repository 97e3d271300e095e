-- Schema 10: rules of all kinds, what goes over lines, what officers say of events, and events of one incident.

-- Checks cannot be changed in place: what versions and events there are is copied over.
alter table event rename to event_before;
alter table rule_version rename to rule_version_before;

-- What a rule said at a time; never changed, so that an event can be explained years later.
create table rule_version (
    rule bigint not null references rule (id), -- which rule
    version bigint not null, -- 1, 2, 3, …
    camera bigint references camera (id), -- the camera it watches; null: every camera
    name text not null, -- what people called it then
    kind text not null check (
        kind in (
            'motion', 'intrusion', 'line_crossing', 'wrong_way', 'stopped', 'loitering', 'crowd', 'left_object',
            'speeding', 'attribute', 'tamper', 'camera_down'
        )
    ), -- what it looked for
    definition text not null, -- JSON as typed in RULES.toml, every default written out
    since_us bigint not null, -- when it came into force
    primary key (rule, version)
);
insert into rule_version select rule, version, camera, name, kind, definition, since_us from rule_version_before;

-- Events that are close to each other in time and place: what a person reviews as one.
create table incident (
    id bigint not null generated always as identity primary key, -- shown and linked: must not come back for another incident
    camera bigint not null references camera (id), -- whose picture
    start_us bigint not null, -- when its first event began
    end_us bigint not null -- when its last one ended
);
create index incident_start on incident (start_us, id);
create index incident_camera_start on incident (camera, start_us, id);
create index incident_camera_end on incident (camera, end_us);

-- What a rule said matters.
create table event (
    id bigint not null generated always as identity primary key, -- shown and linked: must not come back for another event
    camera bigint not null references camera (id), -- whose picture
    rule bigint not null, -- which rule …
    rule_version bigint not null, -- … as it was then
    rule_name text not null, -- as it was called then, for lists
    kind text not null check (
        kind in (
            'motion', 'intrusion', 'line_crossing', 'wrong_way', 'stopped', 'loitering', 'crowd', 'left_object',
            'speeding', 'attribute', 'tamper', 'camera_down'
        )
    ), -- the rule's kind, for filters
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
    verdict_us bigint, -- when that was said; null: it was not
    verdict_by text, -- who said it; null: nobody
    foreign key (rule, rule_version) references rule_version (rule, version)
);
insert into event (id, camera, rule, rule_version, rule_name, kind, class, track, start_us, end_us, open, revision, score, box, path, model_sha256, numbers, incident_id, verdict) overriding system value select id, camera, rule, rule_version, rule_name, kind, class, track, start_us, end_us, open, revision, score, box, path, model_sha256, numbers, incident_id, verdict from event_before;
-- An id must not come back: counting goes on from where it was.
select setval(pg_get_serial_sequence('event', 'id'), nextval(pg_get_serial_sequence('event_before', 'id')), false);
drop table event_before;
drop table rule_version_before;
create index event_start on event (start_us, id);
create index event_camera_start on event (camera, start_us, id);
create index event_kind_start on event (kind, start_us, id);
create index event_class_start on event (class, start_us, id);
create index event_open on event (id) where open;
create index event_rule_verdict on event (rule, verdict_us, id) where verdict is not null;
create index event_incident on event (incident_id, id) where incident_id is not null;

-- What went over a rule's line, by quarter of an hour.
create table line_count (
    rule bigint not null references rule (id), -- whose line
    camera bigint not null references camera (id), -- in whose picture
    quarter bigint not null, -- quarters of an hour since 1970, UTC
    class text not null check (class in ('person', 'bicycle', 'motorcycle', 'car', 'bus', 'truck')), -- what
    direction text not null check (direction in ('left_to_right', 'right_to_left')), -- which way
    n bigint not null, -- how many
    primary key (rule, camera, quarter, class, direction)
);
create index line_count_quarter on line_count (quarter);
