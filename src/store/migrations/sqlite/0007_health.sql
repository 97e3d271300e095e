-- Schema 7: what was wrong with the picture of a camera, and how it usually looks.

-- Spans in which a picture was judged alike: what the level "usable" is made of. Where there is none, vision did not look.
create table picture_health (
    id integer not null primary key autoincrement, -- told apart by it
    camera integer not null references camera (id), -- whose
    fault text check (
        fault in ('black', 'overexposed', 'covered', 'frozen', 'moved', 'defocused')
    ), -- what is wrong; null: it can be used
    start_us integer not null, -- first picture that was so
    end_us integer not null, -- newest picture that is so; grows
    measured text not null -- JSON of the numbers it was said by
) strict;
create index picture_health_camera_start on picture_health (camera, start_us);

-- How a camera usually looks by each light, so that one that is turned while nobody looks is found out.
create table picture_reference (
    camera integer not null references camera (id), -- whose
    light text not null check (light in ('day', 'dusk', 'infrared')), -- by which light
    pictures integer not null, -- learned from so many
    time_us integer not null, -- newest picture in it
    width integer not null, -- cells across
    height integer not null, -- cells down
    luma blob not null, -- a byte a cell, row by row
    fine text not null, -- JSON: fineness of the parts of the picture
    primary key (camera, light)
) strict;

alter table alarm rename to alarm_before;

-- The alarms kept, anew, since a check cannot be changed: a picture that cannot be used is one.
create table alarm (
    id integer not null primary key, -- names it on the page; from the time it was raised, so that none comes back
    kind text not null check (
        kind in (
            'disk_flush_failed', 'damaged', 'disk_missing', 'disk_refused', 'disk_full', 'shedding', 'picture_unusable'
        )
    ), -- what is wrong
    camera integer references camera (id), -- whose recording or picture; null: all
    since_us integer not null, -- when it began
    times integer not null, -- how often it has happened since
    text_vi text not null, -- what is wrong and what to do
    text_en text not null -- the same in English
) strict;
insert into alarm select id, kind, camera, since_us, times, text_vi, text_en from alarm_before;
drop table alarm_before;
