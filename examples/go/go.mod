module subflows.example/list_and_open

go 1.19
