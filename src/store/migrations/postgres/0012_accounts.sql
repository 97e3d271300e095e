-- Schema 12: who may use the site, who is signed in, and who has failed to.

-- A person's account; never deleted, since logs name it.
create table account (
    id bigint not null generated always as identity primary key, -- named in logs: must not come back for another person
    login text not null, -- what is typed to sign in
    login_fold text not null, -- the same in small letters: unique whatever the case
    name text not null, -- the person's name
    password text not null, -- Argon2id with its parameters and salt; never the password
    made_us bigint not null, -- when it was made
    disabled_us bigint, -- since when it may not be used; null: it may
    signed_in_us bigint -- when its person last signed in; null: never
);
create unique index account_login on account (login_fold);

-- What somebody is, and for which cameras.
create table account_role (
    id bigint not null generated always as identity primary key, -- only to have a key: a cluster may be null
    account bigint not null references account (id), -- who
    role text not null check (role in ('police', 'duty', 'office', 'upper', 'admin', 'auditor')), -- what
    cluster bigint references cluster (id) -- for which cameras; null: for all
);
create index account_role_account on account_role (account);

-- Who is signed in.
create table session (
    token_sha256 text not null primary key, -- SHA-256 of what the browser holds: a copy of this table signs nobody in
    account bigint not null references account (id), -- who
    made_us bigint not null, -- when it began: it ends a fixed time after
    seen_us bigint not null, -- when its person last did something: it ends when that is long ago
    peer text not null -- the address it was begun from
);
create index session_account on session (account);

-- Failures to sign in that are still held against somebody; kept over a restart.
create table sign_in_failure (
    who text not null primary key, -- account:<login in small letters> or address:<IP address>
    n bigint not null, -- how many in a row
    last_us bigint not null -- when the last one was
);
create index sign_in_failure_last on sign_in_failure (last_us);
