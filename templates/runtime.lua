-- runtime.lua: the settings that only the host knows, evaluated at each start, restart and eval.
--
--   config("COMPONENT", {KEY = VALUE, ...})   sets keys that the component declares in its component.yaml
--   env("NAME")             a variable of the environment; the boot fails, naming it and this line, when it is not set
--   env("NAME", DEFAULT)    the same with a default
--   read_yaml(PATH), read_json(PATH), read_file(PATH)
--   release.name, release.version
--
-- and the whole of Lua's standard library. All of it is checked before anything is started or stopped: an unknown key
-- or a wrong type names this file, the line, the key and what was expected. Settings of components that the release at
-- hand leaves out are ignored, so one file serves every release. `bin/NAME config` shows what came out, and from where.

-- A port from the environment:
--config("my_server", {port = tonumber(env("PORT", 4040))})

-- A secret from a file:
--config("my_server", {password = read_file("/run/secrets/password"):gsub("%s+$", "")})

-- A table from a file that operators edit, if it is there:
--local file = io.open("/etc/my_service/routes.yaml")
--if file then
--  file:close()
--  config("my_store", {routing_table = read_yaml("/etc/my_service/routes.yaml")})
--end

-- Different settings by release:
--if release.name == "small" then
--  config("my_store", {cache = "16MiB"})
--end
