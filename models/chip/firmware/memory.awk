# Reads `objdump -h` of an image and fails where one of its sections lies in the memory that the host writes (layout.h).
function number(digits,    i, sum) {
    for (i = 1; i <= length(digits); i++) sum = sum * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
    return sum
}
BEGIN { begin = number("9000"); end = number("1f000") }
$1 ~ /^[0-9]+$/ { name = $2; size = number($3); start = number($4) }
/ALLOC/ && size > 0 && start < end && start + size > begin {
    print "firmware: the section " name " reaches into 0x9000 to 0x1F000, which log, specification and regions need; make it smaller or move it."
    failed = 1
}
END { exit failed }
