-- wrk script: a request of a refresh's size, always the same. With CLOSE=1 each is a connection of its own.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
if os.getenv("CLOSE") == "1" then wrk.headers["Connection"] = "close" end
wrk.body = '{"appId":"' .. ("a"):rep(28) .. '","secret":"' .. ("s"):rep(47) .. '","refreshToken":"' .. ("r"):rep(64) .. '"}'
