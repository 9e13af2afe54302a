-- wrk script: verifies access tokens, as a gateway does. A line of SEED is
-- `appId secret refreshToken accessToken`.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "requests.lua")

function init()
  for line in io.lines(os.getenv("SEED")) do
    local app, _, _, access = line:match("(%S+) (%S+) (%S+) (%S+)")
    requests[#requests + 1] = wrk.format("GET", "/verify", { app_key = app, Authorization = "Bearer " .. access })
    if #requests == 20000 then break end
  end
end
