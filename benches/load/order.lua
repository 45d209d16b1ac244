-- Each request is a random shopper's look-up of an order of its own.
function init(args)
  sessions = dofile(args[1] .. "/sessions.lua")
end

function request()
  local session = sessions[math.random(#sessions)]
  return wrk.format("GET", "/v1/orders/" .. session[2], { Authorization = "Bearer " .. session[1] })
end

dofile("benches/load/report.lua")
