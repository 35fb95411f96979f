from torch_serving.cli.main import main

main()
