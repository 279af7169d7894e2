CREATE TABLE public.auth_binding (
    username character varying(255) NOT NULL,
    issuer character varying(255) NOT NULL,
    sub character varying(255) NOT NULL,
    organization character varying(255),
    bound_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_claimable (
    username character varying(255) NOT NULL,
    kind character varying(16) NOT NULL,
    value character varying(1024) NOT NULL,
    made_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_emergency (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    username character varying(255) NOT NULL,
    address character varying(64) NOT NULL,
    reason character varying(255) NOT NULL,
    outcome character varying(32) NOT NULL
);
CREATE SEQUENCE public.auth_emergency_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_emergency_id_seq OWNED BY public.auth_emergency.id;
CREATE TABLE public.auth_guest (
    id character varying(16) NOT NULL,
    digest character varying(64) NOT NULL,
    sponsor character varying(255) NOT NULL,
    note character varying(255) NOT NULL,
    groups json NOT NULL,
    made_at timestamp with time zone NOT NULL,
    open_until timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    issuer character varying(255),
    sub character varying(255),
    username character varying(255),
    accepted_at timestamp with time zone,
    revoked_at timestamp with time zone,
    ended_at timestamp with time zone
);
CREATE TABLE public.auth_leaver (
    username character varying(255) NOT NULL,
    left_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_retired (
    digest character varying(64) NOT NULL,
    retired_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_retired_key (
    id integer NOT NULL,
    key character varying(64) NOT NULL
);
CREATE SEQUENCE public.auth_retired_key_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_retired_key_id_seq OWNED BY public.auth_retired_key.id;
CREATE TABLE public.auth_session (
    issuer character varying(255) NOT NULL,
    sid character varying(255) NOT NULL,
    username character varying(255) NOT NULL,
    begun_at timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_used_token (
    issuer character varying(255) NOT NULL,
    jti character varying(255) NOT NULL,
    ends_at timestamp with time zone NOT NULL
);
CREATE TABLE public.culling_activity (
    "user" character varying(255) NOT NULL,
    server character varying(255) NOT NULL,
    started timestamp with time zone NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    active_at timestamp with time zone NOT NULL,
    busy json NOT NULL
);
CREATE TABLE public.culling_kept (
    "user" character varying(255) NOT NULL,
    server character varying(255) NOT NULL,
    started timestamp with time zone NOT NULL,
    times integer NOT NULL,
    until timestamp with time zone NOT NULL
);
CREATE TABLE public.culling_state (
    name character varying(32) NOT NULL,
    value json NOT NULL
);
CREATE TABLE public.culling_stopped (
    id integer NOT NULL,
    "user" character varying(255) NOT NULL,
    server character varying(255) NOT NULL,
    started timestamp with time zone NOT NULL,
    stopped_at timestamp with time zone NOT NULL,
    cause character varying(16) NOT NULL,
    rule character varying(63) NOT NULL,
    reason json NOT NULL,
    cpu double precision DEFAULT '0'::double precision NOT NULL,
    memory bigint DEFAULT '0'::bigint NOT NULL,
    gpu integer DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.culling_stopped_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.culling_stopped_id_seq OWNED BY public.culling_stopped.id;
CREATE TABLE public.culling_warning (
    "user" character varying(255) NOT NULL,
    server character varying(255) NOT NULL,
    started timestamp with time zone NOT NULL,
    asker character varying(16) NOT NULL,
    warned_at timestamp with time zone NOT NULL,
    told boolean DEFAULT false NOT NULL,
    mailed boolean DEFAULT true NOT NULL
);
CREATE TABLE public.events_code (
    digest character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    seat character varying(64),
    pseudonym character varying(64),
    language character varying(2),
    queued_at timestamp with time zone,
    seen_at timestamp with time zone,
    entered_at timestamp with time zone
);
CREATE TABLE public.events_happened (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    what character varying(16) NOT NULL,
    seconds double precision
);
CREATE SEQUENCE public.events_happened_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_happened_id_seq OWNED BY public.events_happened.id;
CREATE TABLE public.events_purged (
    step character varying(16) NOT NULL,
    subject character varying(64) NOT NULL,
    count integer NOT NULL,
    done_at timestamp with time zone
);
CREATE TABLE public.events_seat (
    name character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    stuck_at timestamp with time zone,
    failed character varying(255)
);
CREATE TABLE public.events_state (
    name character varying(32) NOT NULL,
    value json NOT NULL
);
CREATE TABLE public.federation_audit (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    who character varying(255) NOT NULL,
    what character varying(64) NOT NULL,
    target character varying(300) NOT NULL,
    why character varying(500) NOT NULL
);
CREATE SEQUENCE public.federation_audit_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.federation_audit_id_seq OWNED BY public.federation_audit.id;
CREATE TABLE public.federation_home_site (
    key character varying(300) NOT NULL,
    person character varying(255),
    username character varying(255),
    site character varying(64) NOT NULL,
    set_at timestamp with time zone NOT NULL,
    set_by character varying(255) NOT NULL,
    reason character varying(500) NOT NULL,
    last_seen timestamp with time zone NOT NULL
);
CREATE TABLE public.federation_join (
    token_hash character varying(64) NOT NULL,
    site character varying(64) NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE TABLE public.federation_live (
    site character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    body text NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.federation_order (
    site character varying(64) NOT NULL,
    kind character varying(16) NOT NULL,
    message text,
    until timestamp with time zone,
    set_at timestamp with time zone NOT NULL,
    set_by character varying(255) NOT NULL
);
CREATE TABLE public.federation_seen_token (
    site character varying(64) NOT NULL,
    jti character varying(64) NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE TABLE public.federation_site (
    name character varying(64) NOT NULL,
    model text NOT NULL,
    added_at timestamp with time zone NOT NULL
);
CREATE TABLE public.federation_site_key (
    key character varying(80) NOT NULL,
    site character varying(64) NOT NULL,
    added_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone
);
CREATE TABLE public.federation_transition (
    id integer NOT NULL,
    site character varying(64) NOT NULL,
    at timestamp with time zone NOT NULL,
    state character varying(16) NOT NULL,
    reason character varying(500) NOT NULL
);
CREATE SEQUENCE public.federation_transition_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.federation_transition_id_seq OWNED BY public.federation_transition.id;
CREATE TABLE public.jupytercloud_alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.quotas_by_day (
    hub character varying(63) NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    day date NOT NULL,
    gpu_type character varying(64) NOT NULL,
    seconds bigint NOT NULL,
    cpu bigint NOT NULL,
    memory bigint NOT NULL,
    gpu bigint NOT NULL,
    cost bigint NOT NULL,
    starts integer NOT NULL
);
CREATE TABLE public.quotas_by_profile (
    hub character varying(63) NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    day date NOT NULL,
    profile character varying(63) NOT NULL,
    gpu_type character varying(64) NOT NULL,
    seconds bigint NOT NULL,
    cpu bigint NOT NULL,
    memory bigint NOT NULL,
    gpu bigint NOT NULL,
    cost bigint NOT NULL,
    starts integer NOT NULL
);
CREATE TABLE public.quotas_clock (
    hub character varying(63) NOT NULL,
    boot character varying(64) NOT NULL,
    offset_ms bigint NOT NULL,
    right_s bigint NOT NULL
);
CREATE TABLE public.quotas_grant (
    id bigint NOT NULL,
    hub character varying(63) NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    measure character varying(12) NOT NULL,
    gpu_type character varying(64) NOT NULL,
    amount bigint NOT NULL,
    reason character varying(500) NOT NULL,
    granted_by character varying(255) NOT NULL,
    granted_s bigint NOT NULL,
    begins_s bigint NOT NULL,
    ends_s bigint NOT NULL
);
CREATE SEQUENCE public.quotas_grant_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.quotas_grant_id_seq OWNED BY public.quotas_grant.id;
CREATE TABLE public.quotas_horizon (
    hub character varying(63) NOT NULL,
    day date NOT NULL
);
CREATE TABLE public.quotas_interval (
    id bigint NOT NULL,
    hub character varying(63) NOT NULL,
    "user" character varying(255) NOT NULL,
    server character varying(255) NOT NULL,
    started_us bigint NOT NULL,
    state character varying(8) NOT NULL,
    profile character varying(63) NOT NULL,
    cpu bigint NOT NULL,
    memory bigint NOT NULL,
    gpu integer NOT NULL,
    gpu_type character varying(64) NOT NULL,
    rate bigint NOT NULL,
    begin_s bigint NOT NULL,
    counted_s bigint NOT NULL,
    ended_s bigint,
    expires_s bigint,
    closed_by character varying(8),
    accounts json NOT NULL,
    price_class character varying(42) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE public.quotas_interval_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.quotas_interval_id_seq OWNED BY public.quotas_interval.id;
CREATE TABLE public.quotas_live (
    interval_id bigint NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    hub character varying(63) NOT NULL
);
CREATE TABLE public.quotas_member (
    hub character varying(63) NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    "user" character varying(255) NOT NULL,
    started_s bigint NOT NULL
);
CREATE TABLE public.quotas_notice (
    hub character varying(63) NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(255) NOT NULL,
    rule character varying(63) NOT NULL,
    counts character varying(120) NOT NULL,
    percent integer NOT NULL,
    since_s bigint NOT NULL,
    mailed boolean DEFAULT true NOT NULL
);
ALTER TABLE ONLY public.auth_emergency ALTER COLUMN id SET DEFAULT nextval('public.auth_emergency_id_seq'::regclass);
ALTER TABLE ONLY public.auth_retired_key ALTER COLUMN id SET DEFAULT nextval('public.auth_retired_key_id_seq'::regclass);
ALTER TABLE ONLY public.culling_stopped ALTER COLUMN id SET DEFAULT nextval('public.culling_stopped_id_seq'::regclass);
ALTER TABLE ONLY public.events_happened ALTER COLUMN id SET DEFAULT nextval('public.events_happened_id_seq'::regclass);
ALTER TABLE ONLY public.federation_audit ALTER COLUMN id SET DEFAULT nextval('public.federation_audit_id_seq'::regclass);
ALTER TABLE ONLY public.federation_transition ALTER COLUMN id SET DEFAULT nextval('public.federation_transition_id_seq'::regclass);
ALTER TABLE ONLY public.quotas_grant ALTER COLUMN id SET DEFAULT nextval('public.quotas_grant_id_seq'::regclass);
ALTER TABLE ONLY public.quotas_interval ALTER COLUMN id SET DEFAULT nextval('public.quotas_interval_id_seq'::regclass);
INSERT INTO public.auth_binding VALUES ('é''0
username', 'é''1
issuer', 'é''2
sub', 'é''3
organization', '2026-11-20 17:04:00+00', '2026-11-20 17:05:00+00');
INSERT INTO public.auth_claimable VALUES ('é''0
username', 'é''1
kind', 'é''2
value', '2026-11-20 17:03:00+00');
INSERT INTO public.auth_emergency VALUES (1, '2026-11-20 17:01:00+00', 'é''2
username', 'é''3
address', 'é''4
reason', 'é''5
outcome');
INSERT INTO public.auth_guest VALUES ('é''0
id', 'é''1
digest', 'é''2
sponsor', 'é''3
note', '[["person", "\u00e9''4"]]', '2026-11-20 17:05:00+00', '2026-11-20 17:06:00+00', '2026-11-20 17:07:00+00', 'é''8
issuer', 'é''9
sub', 'é''10
username', '2026-11-20 17:11:00+00', '2026-11-20 17:12:00+00', '2026-11-20 17:13:00+00');
INSERT INTO public.auth_leaver VALUES ('é''0
username', '2026-11-20 17:01:00+00', '2026-11-20 17:02:00+00');
INSERT INTO public.auth_retired VALUES ('é''0
digest', '2026-11-20 17:01:00+00');
INSERT INTO public.auth_retired_key VALUES (1, 'é''1
key');
INSERT INTO public.auth_session VALUES ('é''0
issuer', 'é''1
sid', 'é''2
username', '2026-11-20 17:03:00+00');
INSERT INTO public.auth_used_token VALUES ('é''0
issuer', 'é''1
jti', '2026-11-20 17:02:00+00');
INSERT INTO public.culling_activity VALUES ('é''0
user', 'é''1
server', '2026-11-20 17:02:00+00', '2026-11-20 17:03:00+00', '2026-11-20 17:04:00+00', '[["person", "\u00e9''5"]]');
INSERT INTO public.culling_kept VALUES ('é''0
user', 'é''1
server', '2026-11-20 17:02:00+00', 4, '2026-11-20 17:04:00+00');
INSERT INTO public.culling_state VALUES ('é''0
name', '[["person", "\u00e9''1"]]');
INSERT INTO public.culling_stopped VALUES (1, 'é''1
user', 'é''2
server', '2026-11-20 17:03:00+00', '2026-11-20 17:04:00+00', 'é''5
cause', 'é''6
rule', '[["person", "\u00e9''7"]]', 8.25, 10, 11);
INSERT INTO public.culling_warning VALUES ('é''0
user', 'é''1
server', '2026-11-20 17:02:00+00', 'é''3
asker', '2026-11-20 17:04:00+00', true, false);
INSERT INTO public.events_code VALUES ('é''0
digest', 'é''1
kind', 'é''2
seat', 'é''3
pseudonym', 'é''', '2026-11-20 17:05:00+00', '2026-11-20 17:06:00+00', '2026-11-20 17:07:00+00');
INSERT INTO public.events_happened VALUES (1, '2026-11-20 17:01:00+00', 'é''2
what', 3.25);
INSERT INTO public.events_purged VALUES ('é''0
step', 'é''1
subject', 3, '2026-11-20 17:03:00+00');
INSERT INTO public.events_seat VALUES ('é''0
name', 'é''1
state', '2026-11-20 17:02:00+00', 'é''3
failed');
INSERT INTO public.events_state VALUES ('é''0
name', '[["person", "\u00e9''1"]]');
INSERT INTO public.federation_audit VALUES (1, '2026-11-20 17:01:00+00', 'é''2
who', 'é''3
what', 'é''4
target', 'é''5
why');
INSERT INTO public.federation_home_site VALUES ('é''0
key', 'é''1
person', 'é''2
username', 'é''3
site', '2026-11-20 17:04:00+00', 'é''5
set_by', 'é''6
reason', '2026-11-20 17:07:00+00');
INSERT INTO public.federation_join VALUES ('é''0
token_hash', 'é''1
site', '2026-11-20 17:02:00+00');
INSERT INTO public.federation_live VALUES ('é''0
site', 'é''1
kind', 'é''2
body', '2026-11-20 17:03:00+00');
INSERT INTO public.federation_order VALUES ('é''0
site', 'é''1
kind', 'é''2
message', '2026-11-20 17:03:00+00', '2026-11-20 17:04:00+00', 'é''5
set_by');
INSERT INTO public.federation_seen_token VALUES ('é''0
site', 'é''1
jti', '2026-11-20 17:02:00+00');
INSERT INTO public.federation_site VALUES ('é''0
name', 'é''1
model', '2026-11-20 17:02:00+00');
INSERT INTO public.federation_site_key VALUES ('é''0
key', 'é''1
site', '2026-11-20 17:02:00+00', '2026-11-20 17:03:00+00');
INSERT INTO public.federation_transition VALUES (1, 'é''1
site', '2026-11-20 17:02:00+00', 'é''3
state', 'é''4
reason');
INSERT INTO public.jupytercloud_alembic_version VALUES ('auth_0002');
INSERT INTO public.jupytercloud_alembic_version VALUES ('federation_0002');
INSERT INTO public.jupytercloud_alembic_version VALUES ('culling_0004');
INSERT INTO public.jupytercloud_alembic_version VALUES ('quotas_0003');
INSERT INTO public.jupytercloud_alembic_version VALUES ('events_0001');
INSERT INTO public.quotas_by_day VALUES ('é''0
hub', 'é''1
kind', 'é''2
name', '2026-11-04', 'é''4
gpu_type', 6, 7, 8, 9, 10, 11);
INSERT INTO public.quotas_by_profile VALUES ('é''0
hub', 'é''1
kind', 'é''2
name', '2026-11-04', 'é''4
profile', 'é''5
gpu_type', 7, 8, 9, 10, 11, 12);
INSERT INTO public.quotas_clock VALUES ('é''0
hub', 'é''1
boot', 3, 4);
INSERT INTO public.quotas_grant VALUES (1, 'é''1
hub', 'é''2
kind', 'é''3
name', 'é''4
measure', 'é''5
gpu_type', 7, 'é''7
reason', 'é''8
granted_by', 10, 11, 12);
INSERT INTO public.quotas_horizon VALUES ('é''0
hub', '2026-11-02');
INSERT INTO public.quotas_interval VALUES (1, 'é''1
hub', 'é''2
user', 'é''3
server', 5, 'é''5
stat', 'é''6
profile', 8, 9, 10, 'é''10
gpu_type', 12, 13, 14, 15, 16, 'é''16
clo', '[["person", "\u00e9''17"]]', 'é''18
price_class');
INSERT INTO public.quotas_live VALUES (1, 'é''1
kind', 'é''2
name', 'é''3
hub');
INSERT INTO public.quotas_member VALUES ('é''0
hub', 'é''1
kind', 'é''2
name', 'é''3
user', 5);
INSERT INTO public.quotas_notice VALUES ('é''0
hub', 'é''1
kind', 'é''2
name', 'é''3
rule', 'é''4
counts', 6, 7, true);
SELECT pg_catalog.setval('public.auth_emergency_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_retired_key_id_seq', 1, false);
SELECT pg_catalog.setval('public.culling_stopped_id_seq', 1, false);
SELECT pg_catalog.setval('public.events_happened_id_seq', 1, false);
SELECT pg_catalog.setval('public.federation_audit_id_seq', 1, false);
SELECT pg_catalog.setval('public.federation_transition_id_seq', 1, false);
SELECT pg_catalog.setval('public.quotas_grant_id_seq', 1, false);
SELECT pg_catalog.setval('public.quotas_interval_id_seq', 1, false);
ALTER TABLE ONLY public.jupytercloud_alembic_version
    ADD CONSTRAINT jupytercloud_alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.auth_binding
    ADD CONSTRAINT pk_auth_binding PRIMARY KEY (username);
ALTER TABLE ONLY public.auth_claimable
    ADD CONSTRAINT pk_auth_claimable PRIMARY KEY (username);
ALTER TABLE ONLY public.auth_emergency
    ADD CONSTRAINT pk_auth_emergency PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_guest
    ADD CONSTRAINT pk_auth_guest PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_leaver
    ADD CONSTRAINT pk_auth_leaver PRIMARY KEY (username);
ALTER TABLE ONLY public.auth_retired
    ADD CONSTRAINT pk_auth_retired PRIMARY KEY (digest);
ALTER TABLE ONLY public.auth_retired_key
    ADD CONSTRAINT pk_auth_retired_key PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_session
    ADD CONSTRAINT pk_auth_session PRIMARY KEY (issuer, sid);
ALTER TABLE ONLY public.auth_used_token
    ADD CONSTRAINT pk_auth_used_token PRIMARY KEY (issuer, jti);
ALTER TABLE ONLY public.culling_activity
    ADD CONSTRAINT pk_culling_activity PRIMARY KEY ("user", server, started);
ALTER TABLE ONLY public.culling_kept
    ADD CONSTRAINT pk_culling_kept PRIMARY KEY ("user", server, started);
ALTER TABLE ONLY public.culling_state
    ADD CONSTRAINT pk_culling_state PRIMARY KEY (name);
ALTER TABLE ONLY public.culling_stopped
    ADD CONSTRAINT pk_culling_stopped PRIMARY KEY (id);
ALTER TABLE ONLY public.culling_warning
    ADD CONSTRAINT pk_culling_warning PRIMARY KEY ("user", server, started, asker);
ALTER TABLE ONLY public.events_code
    ADD CONSTRAINT pk_events_code PRIMARY KEY (digest);
ALTER TABLE ONLY public.events_happened
    ADD CONSTRAINT pk_events_happened PRIMARY KEY (id);
ALTER TABLE ONLY public.events_purged
    ADD CONSTRAINT pk_events_purged PRIMARY KEY (step, subject);
ALTER TABLE ONLY public.events_seat
    ADD CONSTRAINT pk_events_seat PRIMARY KEY (name);
ALTER TABLE ONLY public.events_state
    ADD CONSTRAINT pk_events_state PRIMARY KEY (name);
ALTER TABLE ONLY public.federation_audit
    ADD CONSTRAINT pk_federation_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.federation_home_site
    ADD CONSTRAINT pk_federation_home_site PRIMARY KEY (key);
ALTER TABLE ONLY public.federation_join
    ADD CONSTRAINT pk_federation_join PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.federation_live
    ADD CONSTRAINT pk_federation_live PRIMARY KEY (site, kind);
ALTER TABLE ONLY public.federation_order
    ADD CONSTRAINT pk_federation_order PRIMARY KEY (site, kind);
ALTER TABLE ONLY public.federation_seen_token
    ADD CONSTRAINT pk_federation_seen_token PRIMARY KEY (site, jti);
ALTER TABLE ONLY public.federation_site
    ADD CONSTRAINT pk_federation_site PRIMARY KEY (name);
ALTER TABLE ONLY public.federation_site_key
    ADD CONSTRAINT pk_federation_site_key PRIMARY KEY (key);
ALTER TABLE ONLY public.federation_transition
    ADD CONSTRAINT pk_federation_transition PRIMARY KEY (id);
ALTER TABLE ONLY public.quotas_by_day
    ADD CONSTRAINT pk_quotas_by_day PRIMARY KEY (hub, kind, name, day, gpu_type);
ALTER TABLE ONLY public.quotas_by_profile
    ADD CONSTRAINT pk_quotas_by_profile PRIMARY KEY (hub, kind, name, day, profile, gpu_type);
ALTER TABLE ONLY public.quotas_clock
    ADD CONSTRAINT pk_quotas_clock PRIMARY KEY (hub, boot);
ALTER TABLE ONLY public.quotas_grant
    ADD CONSTRAINT pk_quotas_grant PRIMARY KEY (id);
ALTER TABLE ONLY public.quotas_horizon
    ADD CONSTRAINT pk_quotas_horizon PRIMARY KEY (hub);
ALTER TABLE ONLY public.quotas_interval
    ADD CONSTRAINT pk_quotas_interval PRIMARY KEY (id);
ALTER TABLE ONLY public.quotas_live
    ADD CONSTRAINT pk_quotas_live PRIMARY KEY (interval_id, kind, name);
ALTER TABLE ONLY public.quotas_member
    ADD CONSTRAINT pk_quotas_member PRIMARY KEY (hub, kind, name, "user");
ALTER TABLE ONLY public.quotas_notice
    ADD CONSTRAINT pk_quotas_notice PRIMARY KEY (hub, kind, name, rule, counts, percent);
ALTER TABLE ONLY public.auth_binding
    ADD CONSTRAINT uq_auth_binding_issuer_sub UNIQUE (issuer, sub);
ALTER TABLE ONLY public.auth_guest
    ADD CONSTRAINT uq_auth_guest_digest UNIQUE (digest);
ALTER TABLE ONLY public.events_code
    ADD CONSTRAINT uq_events_code_seat UNIQUE (seat);
ALTER TABLE ONLY public.quotas_interval
    ADD CONSTRAINT uq_quotas_interval_hub_user_server_started_us UNIQUE (hub, "user", server, started_us);
CREATE INDEX ix_auth_claimable_value ON public.auth_claimable USING btree (value);
CREATE INDEX ix_auth_emergency_at ON public.auth_emergency USING btree (at);
CREATE INDEX ix_auth_guest_issuer_sub ON public.auth_guest USING btree (issuer, sub);
CREATE INDEX ix_auth_guest_username ON public.auth_guest USING btree (username);
CREATE INDEX ix_auth_session_username ON public.auth_session USING btree (username);
CREATE INDEX ix_auth_used_token_ends_at ON public.auth_used_token USING btree (ends_at);
CREATE INDEX ix_culling_stopped_stopped_at ON public.culling_stopped USING btree (stopped_at);
CREATE INDEX ix_culling_stopped_user_stopped_at ON public.culling_stopped USING btree ("user", stopped_at);
CREATE INDEX ix_events_happened_what_at ON public.events_happened USING btree (what, at);
CREATE INDEX ix_federation_audit_at ON public.federation_audit USING btree (at);
CREATE INDEX ix_federation_audit_who ON public.federation_audit USING btree (who);
CREATE INDEX ix_federation_home_site_last_seen ON public.federation_home_site USING btree (last_seen);
CREATE INDEX ix_federation_home_site_person ON public.federation_home_site USING btree (person);
CREATE INDEX ix_federation_home_site_site ON public.federation_home_site USING btree (site);
CREATE INDEX ix_federation_home_site_username ON public.federation_home_site USING btree (username);
CREATE INDEX ix_federation_seen_token_expires ON public.federation_seen_token USING btree (expires);
CREATE INDEX ix_federation_site_key_site ON public.federation_site_key USING btree (site);
CREATE INDEX ix_federation_transition_site_at ON public.federation_transition USING btree (site, at);
CREATE INDEX ix_quotas_grant_account ON public.quotas_grant USING btree (hub, kind, name);
CREATE INDEX ix_quotas_interval_begin ON public.quotas_interval USING btree (hub, begin_s);
CREATE INDEX ix_quotas_interval_ended ON public.quotas_interval USING btree (hub, ended_s);
CREATE INDEX ix_quotas_interval_open ON public.quotas_interval USING btree (hub, state);
CREATE INDEX ix_quotas_live_account ON public.quotas_live USING btree (hub, kind, name);
CREATE INDEX ix_quotas_member_user ON public.quotas_member USING btree (hub, "user");
ALTER TABLE ONLY public.quotas_live
    ADD CONSTRAINT fk_quotas_live_interval_id_quotas_interval FOREIGN KEY (interval_id) REFERENCES public.quotas_interval(id) ON DELETE CASCADE;
