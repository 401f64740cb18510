
CREATE TABLE public.api_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    consumer_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    environment text NOT NULL,
    hash text NOT NULL,
    scopes text NOT NULL,
    apis text,
    cidrs text,
    metadata text NOT NULL,
    source text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    replaced_by text COLLATE pg_catalog."C",
    last_used_at bigint,
    last_used_address text,
    last_used_route text,
    uses bigint NOT NULL
);
CREATE TABLE public.artifacts (
    id_hash text NOT NULL COLLATE pg_catalog."C",
    model text NOT NULL,
    sealed text NOT NULL,
    expires_at bigint,
    grant_id text COLLATE pg_catalog."C",
    user_code_hash text COLLATE pg_catalog."C",
    uid_hash text COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    client_id text COLLATE pg_catalog."C",
    consumed_at bigint
);
CREATE TABLE public.audit_head (
    id integer NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    hash text NOT NULL,
    mac text NOT NULL,
    CONSTRAINT audit_head_id_check CHECK ((id = 1))
);
CREATE TABLE public.audit_log (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    address text,
    request_id text,
    detail text,
    previous text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.clients (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    metadata text NOT NULL,
    secret_hash text,
    registration_token_hash text,
    disabled integer NOT NULL,
    source text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE TABLE public.consumers (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    metadata text NOT NULL,
    disabled integer NOT NULL,
    source text NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE public.passkeys (
    id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    public_key text NOT NULL,
    counter bigint NOT NULL,
    transports text NOT NULL,
    name text NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE public.removed_users (
    id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE TABLE public.sessions (
    id_hash text NOT NULL COLLATE pg_catalog."C",
    login text NOT NULL,
    issuer text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    sid text COLLATE pg_catalog."C",
    sealed text NOT NULL,
    scopes text NOT NULL,
    token_expires_at bigint,
    expires_at bigint NOT NULL,
    idle_until bigint NOT NULL,
    created_at bigint NOT NULL,
    version bigint NOT NULL,
    name text COLLATE pg_catalog."C"
);
CREATE TABLE public.signing_keys (
    kid text NOT NULL COLLATE pg_catalog."C",
    use text NOT NULL,
    alg text NOT NULL,
    public_jwk text NOT NULL,
    sealed_private_jwk text NOT NULL,
    created_at bigint NOT NULL,
    active_at bigint NOT NULL,
    retired_at bigint,
    remove_at bigint
);
CREATE TABLE public.store_secrets (
    name text NOT NULL,
    sealed text NOT NULL
);
CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    username text NOT NULL COLLATE pg_catalog."C",
    password_hash text,
    sealed_totp text,
    claims text NOT NULL,
    upstream text COLLATE pg_catalog."C",
    disabled integer NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
INSERT INTO public.api_keys VALUES ('frozen-key', 'frozen-consumer', 'a key', 'live', 'aGFzaA', '["read","write"]', '["widgets"]', '["10.0.0.0/8"]', '{"team":"a","nested":{"list":[1,null,"x"]}}', 'admin', 1700000000000, 32503680000000, NULL, NULL, NULL, NULL, NULL, 7);
INSERT INTO public.artifacts VALUES ('xcDG7oamSXXzMv1Hh-sHLlt-Zda4ItjsqFBqDwaga9I', 'RefreshToken', 's1.7q4qPBRX.ZKvPtgF27VXe0dJib0LWzrDjYqF7jcfsyNEkuAMIRkqvAgU6ryMwmjgdJVkNlkd9ApswMz193ffqxk3pLJPFjGkhXNgD2Syt4BJ2O6mDj-0_7MAiEGFzibvzehQ5Lu1w_8TzAJo-ovSps34kulqfK9ScdJQp', 32503680000000, 'frozen-grant', NULL, '_DHwciw3v_IduzVjg4_meLBHRv4_jmOEOqrxwyHRwpE', NULL, NULL, NULL);
INSERT INTO public.audit_head VALUES (1, 3, 1795527466781, '4L3eOlUL1DPExwyw9sZ57dHY2R_RkV1le8tsWsd62As', 'MWUvYoTk1xQL5vcfYGwaXU1liZTWiW_EQ6HoqJe9K_k');
INSERT INTO public.audit_log VALUES (1, 1795527466767, 'config.applied', 'system', 'consumer:frozen', NULL, NULL, '{"n":1}', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'R9mriSrw1xumZJQrP4Ty0-yIU0GPnEsrOZVNwo4AEpk');
INSERT INTO public.audit_log VALUES (2, 1795527466773, 'config.applied', 'system', 'key:frozen', NULL, NULL, '{"n":1}', 'R9mriSrw1xumZJQrP4Ty0-yIU0GPnEsrOZVNwo4AEpk', 'Fo6rXnCZGL3p77NxNSuw20r5aQ-KHDtpSEha73Wxw0A');
INSERT INTO public.audit_log VALUES (3, 1795527466781, 'config.applied', 'system', 'user:frozen', NULL, NULL, '{"n":1}', 'Fo6rXnCZGL3p77NxNSuw20r5aQ-KHDtpSEha73Wxw0A', '4L3eOlUL1DPExwyw9sZ57dHY2R_RkV1le8tsWsd62As');
INSERT INTO public.clients VALUES ('frozen-client', 'A client', '{"redirect_uris":["https://app.example.com/callback"]}', 'c2VjcmV0', NULL, 0, 'admin', 1, 1);
INSERT INTO public.consumers VALUES ('frozen-consumer', 'name of frozen-consumer', '{"plan":"gold"}', 0, 'admin', 1);
INSERT INTO public.passkeys VALUES ('frozen-passkey', 'frozen-user', 0, 'cHVi', 3, '["usb"]', 'key ring', 1);
INSERT INTO public.schema_version VALUES (2);
INSERT INTO public.sessions VALUES ('l1z7Wak_s36xyY-2CofgFxnNHVVsY-YKSOWf-SZvIYY', 'app', 'https://login.example.com', 'ada', NULL, 's1.7q4qPBRX.zqcZ8D5q4wJnfVMZczpGSMoevYGQdC3_-hHFObVnGkt5aaLgccMpu3VzqTLZ6a_m8752wzljbL7UHAypP3VRSmvfiGHM0kxc3pp1aZgyNjqIQvvsQsTLtzYouB-y12cAZOcwzts85GMfjWuAqWM_cUilDw-ZjXhHvEP3tPOt', '["openid"]', 32503680000000, 32503680000000, 32503680000000, 1, 1, 'gf548bT4MFsiP6Zd6X0Glw');
INSERT INTO public.signing_keys VALUES ('frozen-kid', 'oauth', 'ES256', '{"kty":"EC","kid":"frozen-kid"}', 's1.7q4qPBRX.-l0NxgQMCOHSYMQg8vgRn2wVVtcU-5jCQlOUnA7GlAKBpLdv_72J9xYccGDH4oDzD1KxxjLk8X_qVsmLQ2A7ncnrH9OFmQjxAa_kLgbM', 1, 1, NULL, NULL);
INSERT INTO public.store_secrets VALUES ('store', 's1.7q4qPBRX.Jcs_SImS0UrS83xCS-kl1fNrra2NfdhAgvxllZKK671bXZEC6Y6Rwe4k2gnk9rlIrRhrJ-xpSh1isB5Ib5d0SbCTQg1gqEs');
INSERT INTO public.users VALUES ('frozen-user', 'frozen', '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA', 's1.7q4qPBRX.dMJx2A-LD3T88D79rGsfFRUWV-yA0pfFK8MuRRM202MnCifc8Ov7NjqRFa0', '{"name":"Ada","email":"ada@example.com"}', 'https://idp.example.com|frozen', 0, 1, 1);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.audit_head
    ADD CONSTRAINT audit_head_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.consumers
    ADD CONSTRAINT consumers_name_key UNIQUE (name);
ALTER TABLE ONLY public.consumers
    ADD CONSTRAINT consumers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.removed_users
    ADD CONSTRAINT removed_users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY public.store_secrets
    ADD CONSTRAINT store_secrets_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_upstream_key UNIQUE (upstream);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);
CREATE INDEX api_keys_by_consumer ON public.api_keys USING btree (consumer_id, id);
CREATE INDEX artifacts_by_account_id ON public.artifacts USING btree (account_id) WHERE (account_id IS NOT NULL);
CREATE INDEX artifacts_by_client_id ON public.artifacts USING btree (client_id) WHERE (client_id IS NOT NULL);
CREATE INDEX artifacts_by_expires_at ON public.artifacts USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX artifacts_by_grant_id ON public.artifacts USING btree (grant_id) WHERE (grant_id IS NOT NULL);
CREATE INDEX artifacts_by_uid_hash ON public.artifacts USING btree (uid_hash) WHERE (uid_hash IS NOT NULL);
CREATE INDEX artifacts_by_user_code_hash ON public.artifacts USING btree (user_code_hash) WHERE (user_code_hash IS NOT NULL);
CREATE INDEX audit_log_by_actor ON public.audit_log USING btree (actor, seq);
CREATE INDEX audit_log_by_at ON public.audit_log USING btree (at, seq);
CREATE INDEX audit_log_by_subject ON public.audit_log USING btree (subject, seq);
CREATE INDEX audit_log_by_type ON public.audit_log USING btree (type, seq);
CREATE INDEX clients_by_source ON public.clients USING btree (source);
CREATE INDEX passkeys_by_user ON public.passkeys USING btree (user_id, "position");
CREATE INDEX sessions_by_expires_at ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_by_idle_until ON public.sessions USING btree (idle_until);
CREATE INDEX sessions_by_name ON public.sessions USING btree (name);
CREATE INDEX sessions_by_sid ON public.sessions USING btree (issuer, sid);
CREATE INDEX sessions_by_subject ON public.sessions USING btree (subject, id_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_consumer_id_fkey FOREIGN KEY (consumer_id) REFERENCES public.consumers(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
