-- Schema 9: what a search reads, and where something went next.

alter table track add column heading text check (heading in ('left', 'right', 'near', 'far')); -- which way it went in the picture; null: none, or not known
alter table track add column size text check (size in ('small', 'middle', 'large')); -- how large it looked; null: an earlier version kept it
create index track_camera_number on track (camera, number);

-- Hours of which the tracks and events that are over have been packed for the search; a change of one takes its hour out.
create table search_hour (
    hour bigint not null primary key, -- hours since 1970, UTC
    stamp bigint not null, -- of all that was packed: bits packed at another time are not believed
    count bigint not null, -- how many tracks and events
    keys bytea not null -- which, by start (src/store/search/packed.rs)
);

-- Which of an hour's tracks and events have a property: any properties are found together by their bits.
create table search_facet (
    facet text not null, -- such as class:bus, upper:red, camera:7
    hour bigint not null, -- of which hour
    stamp bigint not null, -- that of its hour when it was packed
    bits bytea not null, -- a bit for each key of the hour, packed
    primary key (facet, hour)
);
create index search_facet_hour on search_facet (hour);

-- How many tracks and events began in an hour: a week is added up from 168 rows of each word.
create table search_tally (
    camera bigint not null, -- whose; 0: of all cameras together
    word text not null, -- such as track:car, event:intrusion
    hour bigint not null, -- in which hour
    stamp bigint not null, -- that of its hour when it was counted
    n bigint not null, -- how many
    primary key (camera, word, hour)
);
create index search_tally_hour on search_tally (hour);

-- Names of rules as events carry them, each once: words are looked for in few rows.
create table phrase (
    id bigint not null generated always as identity primary key, -- facets refer to it
    text text not null, -- as typed
    folded text not null -- without accents, in small letters: the program folds, so that both engines find the same
);
create unique index phrase_text on phrase (text);
create index phrase_words on phrase using gin (to_tsvector('simple'::regconfig, folded));

-- Where something that left a camera's picture comes to next: drawn by a person, learned from what was confirmed.
create table way (
    from_camera bigint not null references camera (id), -- which it leaves
    to_camera bigint not null references camera (id), -- where it comes to
    heading text check (heading in ('left', 'right', 'near', 'far')), -- which way of the picture leads there; null: not told
    drawn_s bigint, -- seconds it takes, as a person gave them; null: not told
    times bigint not null, -- how often it was confirmed
    sum_ln double precision not null, -- of the logarithms of the seconds it then took
    sum_ln2 double precision not null, -- of their squares: with the two above mean and spread
    primary key (from_camera, to_camera)
);

-- Where cameras stand on the plan that a person drew.
create table camera_spot (
    camera bigint not null primary key references camera (id), -- which
    x double precision not null, -- 0..=1 from the left
    y double precision not null -- 0..=1 from the top
);

-- The way of one vehicle from camera to camera, as a person followed it; it goes with the tracks it is made of.
create table route (
    id bigint not null generated always as identity primary key, -- shown and linked
    class text not null check (class in ('person', 'bicycle', 'motorcycle', 'car', 'bus', 'truck')), -- of what
    case_number text check (class <> 'person' or case_number is not null), -- the case it serves; null: none
    reason text check (class <> 'person' or reason is not null), -- why it is followed; null: not told
    actor text not null, -- who follows
    made_us bigint not null -- since when
);

-- What a person said of a sighting: it is the one followed, or it is not.
create table route_step (
    route bigint not null references route (id), -- in which route
    track bigint not null references track (id), -- which sighting
    accepted boolean not null, -- whether it is the one followed
    from_track bigint, -- the sighting it came from; null: the first one
    took_s bigint, -- seconds from there, as learned; null: nothing was
    actor text not null, -- who said so
    time_us bigint not null, -- when
    primary key (route, track)
);
create index route_step_track on route_step (track);
