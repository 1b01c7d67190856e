# Each target is one line over a script that also works without make.
run:   ; @sh app/start.sh
test:  ; @sh tests/run.sh
firmware: ; @$(MAKE) --no-print-directory -C models/chip/firmware
.PHONY: run test firmware
