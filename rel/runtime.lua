-- The settings of this project's releases that only the host knows. `kvrel init` makes a file that explains what can be said here.
config("kv_server", {port = tonumber(env("PORT", 4040))})
config("kv_resp", {port = tonumber(env("RESP_PORT", 6379))})
