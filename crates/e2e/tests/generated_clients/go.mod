module example.com/login

go 1.23

require github.com/northgate/client v0.0.0

require gopkg.in/validator.v2 v2.0.1 // indirect

replace github.com/northgate/client => ../go
