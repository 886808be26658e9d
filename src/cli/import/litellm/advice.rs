//! What to do about settings that have no counterpart, in the words of the notes.

/// Keys, separated by spaces, and what is said about them.
type Advice = (&'static str, &'static str);

const BODY: &str =
    "not carried over: Trunkline does not change bodies; let clients send it with each request";
const CALLBACKS: &str = "not carried over: metrics are at /metrics of the admin listener, traces go to an OpenTelemetry collector ([traces]), and no content is logged; see docs/metrics.md and docs/traces.md";
const CACHE: &str = "not carried over: responses are not cached; providers cache prompts, and affinity = { by = \"prompt\" } of a model makes use of that";
const DATABASE: &str = "not carried over: there is no database; what its tables add (models, keys, teams, settings made in the UI) is not in this file";
const DROP: &str = "not carried over: parameters are forwarded as they are, and a provider refuses what it does not know";
const ALERTS: &str = "not carried over: alert with Prometheus; rules are in deploy/prometheus";
const BUDGETS: &str = "not carried over: write [limits.NAME] with models, or providers, that it is for, and budget = [\"100/month\"]; see docs/limits.md";
const USER_BUDGETS: &str = "not carried over: write [limits.NAME] with per = [\"user\"] and budget = [\"1/day\"], and may_name_users = true of the keys whose users can be believed; see docs/limits.md";
const KEY_LIMITS: &str = "not carried over: write [limits.each-key] with per = [\"key\"] and the same amounts (budget, requests for rpm, tokens for tpm, concurrent); see docs/limits.md";
const GUARDRAILS: &str = "not carried over: content is neither read nor changed";
const IDENTITY: &str = "not carried over: clients have keys ([access.keys]) or certificates ([access.certificates]); run an identity provider's proxy in front where people log in";
const REDIS: &str =
    "not needed: each process reads the providers' own rate limits, so no state is shared";
const ERRORS: &str = "not carried over: an error that blames the request (400, 413, 422) is passed to the client, who may choose another model";
const CHECKS: &str = "not carried over: no completions are made to check health; `health = { interval = \"10s\" }` of a provider requests its list of models";
const TAGS: &str = "not carried over: there is no routing by tags; give each its own alias";
const TOOLS: &str = "not carried over: no tools are run, and no MCP servers are called";
const PATHS: &str =
    "not carried over: a provider's other paths are at /providers/NAME/v1/ as they are";
const PEOPLE: &str = "not carried over: a client key lists the models that it may use, and may name its `team`, which [limits] can be for";
const NO_EFFECT: &str = "";

pub const PARAMS: &[Advice] = &[
    (
        "audio extra_body frequency_penalty logit_bias logprobs max_completion_tokens \
          max_tokens modalities n parallel_tool_calls presence_penalty reasoning_effort \
          response_format seed service_tier stop stream stream_options temperature \
          thinking tool_choice tools top_k top_logprobs top_p user verbosity",
        BODY,
    ),
    (
        "drop_params additional_drop_params allowed_openai_params modify_params",
        DROP,
    ),
    (
        "azure_ad_token azure_password azure_scope azure_username client_id client_secret \
          tenant_id",
        "not carried over: Trunkline sends a key, and no token of Microsoft Entra ID; create a key of the resource",
    ),
    (
        "cache_control_injection_points prompt_id prompt_variables",
        BODY,
    ),
    ("guardrails", GUARDRAILS),
    ("max_budget budget_duration", BUDGETS),
    (
        "mock_response mock_tool_calls",
        "not carried over: demo = \"on\" offers a model that needs no provider",
    ),
    (
        "ssl_verify ssl_certificate",
        "not carried over: certificates are always verified; name the provider's authority in its ca_file",
    ),
    ("tags", TAGS),
    (
        "region_name",
        "not carried over: it only served to filter deployments by region; give each region an alias of its own",
    ),
    ("project", "not carried over: set `project` of the provider"),
    ("use_in_pass_through", PATHS),
];

pub const MODEL_INFO: &[Advice] = &[
    (
        "base_model",
        "not carried over: it served to find a price; add a row to [prices], or `prices = \"openai\"` to the provider if its deployments are named like OpenAI's models",
    ),
    ("access_groups team_id team_public_model_name", PEOPLE),
    (
        "blocked",
        "not carried over: remove the alias if the model must not be used",
    ),
];

pub const LITELLM_SETTINGS: &[Advice] = &[
    (
        "audit_log_callbacks callbacks default_in_memory_ttl failure_callback \
          langfuse_default_tags service_callback service_callbacks success_callback \
          datadog_params s3_callback_params gcs_pub_sub_use_v1",
        CALLBACKS,
    ),
    (
        "cache cache_params caching enable_caching_on_provider_specific_optional_params",
        CACHE,
    ),
    ("drop_params additional_drop_params modify_params", DROP),
    ("context_window_fallbacks content_policy_fallbacks", ERRORS),
    (
        "default_internal_user_params default_team_params default_team_settings \
          key_generation_settings",
        PEOPLE,
    ),
    (
        "default_key_generate_params upperbound_key_generate_params",
        KEY_LIMITS,
    ),
    ("guardrails enable_json_schema_validation", GUARDRAILS),
    (
        "max_user_budget internal_user_budget_duration max_internal_user_budget \
          max_end_user_budget",
        USER_BUDGETS,
    ),
    ("mcp_aliases mcp_servers", TOOLS),
    (
        "ssl_verify ssl_certificate",
        "not carried over: certificates are always verified; name a provider's authority in its ca_file",
    ),
    (
        "force_ipv4",
        "not needed: all addresses of a provider are tried",
    ),
    (
        "set_verbose verbose debug",
        "not carried over: set log.level, or change it at run time with PUT /log on the admin listener",
    ),
    (
        "telemetry turn_off_message_logging redact_user_api_key_info \
          redact_messages_in_exceptions suppress_debug_info disable_hf_tokenizer_download \
          disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only \
          disable_copilot_system_to_assistant num_workers log_raw_request_response",
        NO_EFFECT,
    ),
];

pub const ROUTER_SETTINGS: &[Advice] = &[
    (
        "redis_host redis_port redis_password redis_url redis_db redis_ssl cache_kwargs",
        REDIS,
    ),
    ("cache_responses caching_groups", CACHE),
    ("context_window_fallbacks content_policy_fallbacks", ERRORS),
    (
        "enable_pre_call_checks enable_pre_call_check",
        "not carried over: tokens are not counted before a call; the provider's own error reaches the client",
    ),
    (
        "enable_tag_filtering tag_filtering_match_any tag_routing_prefix",
        TAGS,
    ),
    (
        "retry_policy model_group_retry_policy allowed_fails_policy retry_after",
        "not carried over: what is retried depends on whether the provider may have processed the request; docs/routing.md has the table",
    ),
    ("default_litellm_params", BODY),
    (
        "default_max_parallel_requests",
        "not carried over: set pool.max_in_flight, which holds for each provider",
    ),
    ("provider_budget_config", BUDGETS),
    (
        "optional_pre_call_checks model_group_affinity_config \
          deployment_affinity_ttl_seconds",
        "not carried over: `affinity` of a model keeps related requests on one target, and objects are found at the provider that holds them",
    ),
    (
        "routing_strategy_args client_ttl set_verbose debug_level polling_interval \
          default_priority ignore_invalid_deployments",
        NO_EFFECT,
    ),
    (
        "max_fallbacks",
        "not carried over: retry.attempts limits all attempts of a request, fallbacks included",
    ),
];

pub const GENERAL_SETTINGS: &[Advice] = &[
    (
        "database_url database_connection_pool_limit database_connection_timeout \
          allow_requests_on_db_unavailable store_model_in_db supported_db_objects \
          disable_prisma_schema_update disable_spend_logs disable_spend_updates \
          store_prompts_in_spend_logs maximum_spend_logs_retention_period \
          maximum_spend_logs_retention_interval proxy_batch_write_at \
          proxy_budget_rescheduler_min_time proxy_budget_rescheduler_max_time \
          proxy_batch_polling_interval use_redis_transaction_buffer disable_error_logs \
          disable_reset_budget",
        DATABASE,
    ),
    (
        "alerting alerting_args alerting_threshold alert_to_webhook_url alert_types \
          spend_report_frequency slack_webhook_url",
        ALERTS,
    ),
    (
        "custom_auth custom_sso custom_key_generate enable_jwt_auth enable_oauth2_auth \
          enable_oauth2_proxy_auth litellm_jwtauth litellm_key_header_name \
          oauth2_config_mappings user_header_name user_header_mappings allow_user_auth \
          service_account_settings default_team_disabled user_api_key_cache_ttl \
          ui_access_mode admin_only_routes public_routes allowed_routes",
        IDENTITY,
    ),
    (
        "background_health_checks health_check_interval health_check_details \
          enable_health_check_routing use_shared_health_check",
        CHECKS,
    ),
    (
        "completion_model embedding_model image_generation_model moderation_model \
          infer_model_from_keys",
        "not carried over: clients name the model of each request; default_provider is for requests that have none",
    ),
    (
        "pass_through_endpoints use_client_credentials_pass_through_routes",
        PATHS,
    ),
    (
        "key_management_system key_management_settings use_azure_key_vault use_google_kms",
        "not carried over: keys come from variables or files (api_key_env, api_key_file); let the platform's secrets manager provide them",
    ),
    (
        "allowed_ips use_x_forwarded_for",
        "not carried over: limit addresses in the network, or require client keys or certificates",
    ),
    (
        "forward_client_headers_to_llm_api forward_openai_org_id \
          forward_llm_provider_auth_headers",
        "not needed: headers of clients are forwarded, except credentials and those of the connection; see docs/security.md",
    ),
    (
        "allow_client_side_credentials",
        "not carried over: a client's credential never reaches a provider",
    ),
    (
        "enforce_user_param enforced_params reject_clientside_metadata_tags",
        "not carried over: bodies are not checked for parameters",
    ),
    (
        "max_response_size_mb",
        "not carried over: responses are passed on as they arrive, in constant memory",
    ),
    (
        "disable_master_key_return disable_adding_master_key_hash_to_db \
          disable_retry_on_max_parallel_request_limit_error disable_responses_id_security \
          litellm_license always_include_stream_usage",
        NO_EFFECT,
    ),
    ("mcp_trusted_proxy_ranges user_mcp_management_mode", TOOLS),
];

/// Sections besides those of the models and settings.
pub const SECTIONS: &[Advice] = &[
    ("callback_settings", CALLBACKS),
    ("guardrails policies", GUARDRAILS),
    ("mcp_servers mcp_tools search_tools agent_list", TOOLS),
    (
        "files_settings finetune_settings batch_settings",
        "not needed: files, batches and fine-tuning go to the provider of their model or object, or to the one named by /providers/NAME/v1/",
    ),
    (
        "vector_store_registry prompts",
        "not carried over: no prompts or vector stores are kept here; the provider's are reached through the API",
    ),
    ("assistant_settings", PATHS),
];

/// What is said about a key: none if it has no effect here, and a general note if it is
/// unknown.
pub fn about(table: &[Advice], key: &str) -> Option<&'static str> {
    let mut rows = table.iter();
    let found = rows.find(|(keys, _)| keys.split_whitespace().any(|it| it == key));
    match found {
        Some((_, text)) => Some(*text).filter(|text| !text.is_empty()),
        None => Some("not carried over: unknown to this import"),
    }
}

/// Whether there is a row for the key.
pub fn is_listed(table: &[Advice], key: &str) -> bool {
    let mut keys = table.iter().flat_map(|(keys, _)| keys.split_whitespace());
    keys.any(|it| it == key)
}
