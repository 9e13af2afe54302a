-- wrk script: client_credentials, as one application after the other. A line of SEED is `appId secret refreshToken accessToken`.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "requests.lua")
local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }

function init()
  local seen = {}
  for line in io.lines(os.getenv("SEED")) do
    local app, secret = line:match("(%S+) (%S+)")
    if not seen[app] then
      seen[app] = true
      local body = "grant_type=client_credentials&client_id=" .. app .. "&client_secret=" .. secret
      requests[#requests + 1] = wrk.format("POST", "/oauth2/token", headers, body)
    end
  end
end
