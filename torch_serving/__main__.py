from torch_serving.cli import main

main()
